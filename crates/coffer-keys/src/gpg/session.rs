//! One connection of a sandbox to the GnuPG filter.

use std::io;

use super::lines::Lines;
use super::{About, CANCELED, Grips, MAX_DATA, NO_AGENT, OK, Step};
use crate::serve::{Connection, Outside, Used, Verdict};

/// What the agent asks back for when it is to decrypt.
const CIPHERTEXT: &[u8] = b"INQUIRE CIPHERTEXT";
/// How an agent greets.
const GREETING: &[u8] = b"OK Pleased to meet you";

/// Answers until the sandbox hangs up.
///
/// # Errors
/// When the connection breaks, or a line is too long.
pub(crate) fn talk(sandbox: &mut impl Connection, outside: &impl Outside, grips: &Grips) -> io::Result<()> {
    let mut session = Session { sandbox: Lines::new(sandbox), outside, grips, agent: None, chosen: None };
    session.sandbox.send(GREETING)?;
    while let Some(line) = session.sandbox.next()? {
        match Step::read(&line, grips, session.chosen.as_deref()) {
            Step::Nothing => {}
            Step::Answer(answer) => session.sandbox.send(answer.as_bytes())?,
            Step::Data(data) => {
                session.sandbox.send_data(&data)?;
                session.sandbox.send(OK.as_bytes())?;
            }
            Step::End => return session.sandbox.send(b"OK closing connection"),
            Step::Denied { what, key, answer } => {
                session.note(what, key, Verdict::Denied);
                session.sandbox.send(answer.as_bytes())?;
            }
            Step::Forward { line, about } => session.forward(&line, &about)?,
        }
    }
    Ok(())
}

struct Session<'a, C, O: Outside> {
    sandbox: Lines<C>,
    outside: &'a O,
    grips: &'a Grips,
    agent: Option<Lines<O::Agent>>,
    /// The key that the agent has been told of.
    chosen: Option<String>,
}

impl<C: Connection, O: Outside> Session<'_, C, O> {
    fn note(&self, what: &'static str, key: Option<String>, verdict: Verdict) {
        // People know their keys by another name.
        let key = key.map(|grip| self.grips.called(&grip).map_or(grip.clone(), str::to_owned));
        self.outside.used(&Used { what, key, verdict });
    }

    /// Has the agent do it, and passes its answer on.
    fn forward(&mut self, line: &str, about: &About) -> io::Result<()> {
        let what = match about {
            About::Sign => Some("sign"),
            About::Decrypt => Some("decrypt"),
            About::Reset | About::Look | About::Choose(_) | About::Describe | About::Hash => None,
        };
        let key = self.chosen.clone();
        if let (Some(what), Some(grip)) = (what, &key) {
            let called = self.grips.called(grip).unwrap_or(grip);
            if !self.outside.agrees(what, called) {
                self.note(what, key, Verdict::Declined);
                return self.sandbox.send(CANCELED.as_bytes());
            }
        }
        let done = match self.asked(line, about) {
            Ok(done) => done,
            Err(Broken::Agent) => {
                // The state that it knew is gone with it.
                (self.agent, self.chosen) = (None, None);
                self.sandbox.send(NO_AGENT.as_bytes())?;
                false
            }
            Err(Broken::Sandbox(error)) => return Err(error),
        };
        match about {
            About::Choose(grip) => self.chosen = done.then(|| grip.clone()),
            About::Reset => self.chosen = None,
            About::Look | About::Describe | About::Hash | About::Sign | About::Decrypt => {}
        }
        if let Some(what) = what {
            self.note(what, key, if done { Verdict::Allowed } else { Verdict::Failed });
        }
        Ok(())
    }

    /// Asks the agent; whether it said yes.
    fn asked(&mut self, line: &str, about: &About) -> Result<bool, Broken> {
        let agent = match &mut self.agent {
            Some(agent) => agent,
            None => self.agent.insert(connect(self.outside)?),
        };
        agent.send(line.as_bytes()).map_err(of_agent)?;
        let mut room = MAX_DATA;
        loop {
            let said = agent.next().map_err(of_agent)?.ok_or(Broken::Agent)?;
            room = room.checked_sub(said.len() + 1).ok_or(Broken::Agent)?;
            let is = |word: &[u8]| said == word || said.starts_with(&[word, b" "].concat());
            if is(b"OK") || is(b"ERR") {
                let done = is(b"OK");
                // What stands behind it is for people, and may tell of the host.
                let end: &[u8] = if done { b"OK" } else { &said };
                self.sandbox.send(end).map_err(Broken::Sandbox)?;
                return Ok(done);
            }
            if is(b"D") || is(b"S") {
                self.sandbox.send(&said).map_err(Broken::Sandbox)?;
            } else if is(CIPHERTEXT) && *about == About::Decrypt {
                self.sandbox.send(&said).map_err(Broken::Sandbox)?;
                hand_over(&mut self.sandbox, agent)?;
            } else if is(b"INQUIRE") {
                agent.send(b"CAN").map_err(of_agent)?;
            }
            // A comment is nobody's.
        }
    }
}

/// Which side of a session broke.
enum Broken {
    Agent,
    Sandbox(io::Error),
}

fn of_agent(_: io::Error) -> Broken {
    Broken::Agent
}

fn connect<O: Outside>(outside: &O) -> Result<Lines<O::Agent>, Broken> {
    let mut agent = Lines::new(outside.connect().map_err(of_agent)?);
    let greeting = agent.next().map_err(of_agent)?.ok_or(Broken::Agent)?;
    if greeting == b"OK" || greeting.starts_with(b"OK ") { Ok(agent) } else { Err(Broken::Agent) }
}

/// Passes on what the agent has asked back for; anything but data calls it off.
fn hand_over<C: Connection, A: Connection>(
    sandbox: &mut Lines<C>,
    agent: &mut Lines<A>,
) -> Result<(), Broken> {
    let mut room = MAX_DATA;
    loop {
        let line = sandbox.next().map_err(Broken::Sandbox)?;
        let fits = |line: &Vec<u8>| line.len() < room && (line.starts_with(b"D ") || line == b"END");
        let Some(line) = line.filter(fits) else {
            return agent.send(b"CAN").map_err(of_agent);
        };
        room -= line.len() + 1;
        agent.send(&line).map_err(of_agent)?;
        if line == b"END" {
            return Ok(());
        }
    }
}
