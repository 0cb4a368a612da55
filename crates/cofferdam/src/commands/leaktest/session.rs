//! One run that is tested: started as every run is, with a program inside that looks around while the agent waits for
//! an answer of the API, and again when it has ended; and the host, which looks at the same from outside.

use std::io::{BufReader, Read as _, Write as _};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use coffer_host::Sandbox;
use coffer_launch::launch::Launch;
use coffer_launch::run::live_runs;
use coffer_testkit::fake::Gate;

use super::search::{Patterns, Searched, Searcher};
use super::wire::{self, Wire};
use crate::commands::lab::failed;
use crate::error::Error;
use crate::sight::frames::{self, Frame, Message};
use crate::sight::probe::{END, GO, LOOK};
use crate::sight::{Kind, Place, Sink as _, files, processes};

/// How long a sandbox may take to begin.
const BEGIN: Duration = Duration::from_secs(120);
/// How long the agent may take to ask the API, or to end.
const ASK: Duration = Duration::from_secs(60);
/// How soon a command is looked at again that does not ask the API: it may hold something for a short time only.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it may take to end once it has its answer.
const ANSWERED: Duration = Duration::from_secs(60);
/// How long a look may take.
const SEE: Duration = Duration::from_secs(900);
/// Most of what the run says on standard error is kept for an error, in bytes.
const MAX_SAID: usize = 16 * 1024;

/// Something that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The API is asked for an answer.
    Asked,
    /// The program inside says something.
    Said(Message),
    /// The program inside has gone.
    Gone,
}

/// What is needed for a run.
pub(crate) struct Session<'a> {
    pub(crate) coffer: &'a Utf8Path,
    pub(crate) launch: &'a Launch,
    pub(crate) patterns: &'a Arc<Patterns>,
    /// Whether the command is the agent itself, which asks the API.
    pub(crate) is_agent: bool,
    /// Holds the API's answers.
    pub(crate) gate: &'a Gate,
    pub(crate) events: Receiver<Event>,
    /// For more of them.
    pub(crate) tell: Sender<Event>,
}

/// What was seen of a run.
pub(crate) struct Seen {
    pub(crate) inside: Searched,
    pub(crate) outside: Searched,
    pub(crate) boundary: Searched,
    pub(crate) missed: u64,
    pub(crate) client: Watched,
}

/// How it went with the command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// Whether it waited for an answer while it was looked at.
    pub(crate) caught_asking: bool,
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// Why it was not started.
    pub(crate) not_started: Option<String>,
    has_ended: bool,
}

impl Watched {
    fn ended(&mut self, message: Message) {
        match message {
            Message::Ended(code) => self.code = code,
            Message::NotStarted(why) => self.not_started = Some(why),
            _ => return,
        }
        self.has_ended = true;
    }
}

impl Session<'_> {
    /// Runs it.
    pub(crate) fn run(self) -> Result<Seen, Error> {
        let mut command = Command::new(self.coffer);
        command.args(self.launch.words());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed("starting the run"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(failed("starting the run")(std::io::ErrorKind::BrokenPipe.into()));
        };
        let (patterns, tell) = (Arc::clone(self.patterns), self.tell.clone());
        let hears = thread::spawn(move || hear(output, &patterns, &tell));
        let patterns = Arc::clone(self.patterns);
        let listens = thread::spawn(move || listen(errors, &patterns));
        let looked = self.direct(input);
        if looked.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let ended = child.wait().map_err(failed("waiting for the run"));
        let gone = |_| failed("hearing the run")(std::io::ErrorKind::Other.into());
        let inside = hears.join().map_err(gone)?;
        let (of_errors, said) = listens.join().map_err(gone)?;
        let (outside, wire, client) = looked.map_err(|error| error.explained(said))?;
        ended?;
        let (boundary, missed) = wire.end().map_err(failed("reading the traffic"))?;
        let inside = inside.map_err(failed("hearing the program inside"))?.and(of_errors);
        Ok(Seen { inside, outside, boundary, missed, client })
    }

    /// Tells the program inside what to do, and looks from outside meanwhile.
    fn direct(&self, mut input: ChildStdin) -> Result<(Searched, Wire, Watched), Directing> {
        let mut client = Watched::default();
        self.until(BEGIN, |event| *event == Event::Said(Message::Ready))?.ok_or(Directing::Late("begin"))?;
        let sandbox = Inside::find(self.launch.runtime()).ok_or(Directing::Unseen)?;
        let tap =
            wire::tap(sandbox.reader).map_err(|error| Directing::Failed("reading the traffic", error))?;
        let wire = Wire::follow(tap, self.patterns)
            .map_err(|error| Directing::Failed("reading the traffic", error))?;
        order(&mut input, GO)?;
        let stirs = |event: &Event| {
            matches!(event, Event::Asked | Event::Said(Message::Ended(_) | Message::NotStarted(_)))
        };
        let mut outside = Searcher::new(self.patterns);
        let first = if self.is_agent { ASK } else { AGAIN };
        let end = Instant::now() + ASK;
        loop {
            match self.until(first, stirs)? {
                Some(Event::Said(message)) => client.ended(message),
                Some(Event::Asked) => client.caught_asking = true,
                Some(Event::Gone) | None => {}
            }
            self.look(&mut input, &sandbox, &mut outside, &mut client)?;
            if client.has_ended || client.caught_asking || Instant::now() >= end {
                break;
            }
        }
        self.gate.open();
        if !client.has_ended {
            let ends = |event: &Event| matches!(event, Event::Said(Message::Ended(_)));
            if let Some(Event::Said(message)) = self.until(ANSWERED, ends)? {
                client.ended(message);
            }
        }
        self.look(&mut input, &sandbox, &mut outside, &mut client)?;
        // The run may have ended meanwhile; then that is what is told.
        let _ = order(&mut input, END);
        Ok((outside.finish(), wire, client))
    }

    /// A look from both sides.
    fn look(
        &self,
        input: &mut ChildStdin,
        sandbox: &Inside,
        outside: &mut Searcher,
        client: &mut Watched,
    ) -> Result<(), Directing> {
        order(input, LOOK)?;
        let looked = processes::look(&sandbox.processes(), sandbox.reader, outside)
            .and_then(|()| files::below(sandbox.folder.as_std_path(), &|_| None, outside));
        looked.map_err(|error| Directing::Failed("looking from outside", error))?;
        outside.looked();
        loop {
            let event = self.until(SEE, |event| *event != Event::Gone)?;
            match event.ok_or(Directing::Late("look around"))? {
                Event::Said(Message::Looked) => return Ok(()),
                Event::Said(message) => client.ended(message),
                Event::Asked => client.caught_asking = true,
                Event::Gone => {}
            }
        }
    }

    /// Waits for an event; `None` when it does not come in time.
    fn until(&self, limit: Duration, wanted: impl Fn(&Event) -> bool) -> Result<Option<Event>, Directing> {
        let end = Instant::now() + limit;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) if wanted(&event) => return Ok(Some(event)),
                Ok(Event::Gone) | Err(RecvTimeoutError::Disconnected) => return Err(Directing::Gone),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(None),
            }
        }
    }
}

/// Why a run could not be looked at.
enum Directing {
    /// The run ended before it was looked at.
    Gone,
    /// It took too long to do this.
    Late(&'static str),
    /// The sandbox could not be found from outside.
    Unseen,
    /// This failed.
    Failed(&'static str, std::io::Error),
}

impl Directing {
    /// With what the run said on standard error.
    fn explained(self, said: String) -> Error {
        let reason = match self {
            Self::Gone => "the run ended before it was searched".to_owned(),
            Self::Late(what) => format!("the program inside did not {what} in time"),
            Self::Unseen => "the sandbox cannot be seen from outside".to_owned(),
            Self::Failed(what, error) => format!("{what}: {error}"),
        };
        Error::Untested { reason, said }
    }
}

fn order(input: &mut ChildStdin, word: &str) -> Result<(), Directing> {
    writeln!(input, "{word}").and_then(|()| input.flush()).map_err(|_| Directing::Gone)
}

/// The sandbox, as the host sees it.
struct Inside {
    /// The program that looks around inside, by the host's number.
    reader: u32,
    /// The process namespace.
    namespace: std::path::PathBuf,
    /// The run's folder on the host.
    folder: camino::Utf8PathBuf,
}

impl Inside {
    /// The one sandbox below this runtime folder.
    fn find(runtime: &Utf8Path) -> Option<Self> {
        let run = live_runs(runtime).pop()?;
        let reader = Sandbox::of_backend(run.sandbox()?)?.agent()?;
        Some(Self { reader, namespace: namespace(reader)?, folder: run.folder })
    }

    /// All processes inside, by the host's numbers.
    fn processes(&self) -> Vec<u32> {
        let mut all = processes::here();
        all.retain(|pid| namespace(*pid).as_ref() == Some(&self.namespace));
        all
    }
}

fn namespace(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Searches what comes from inside.
fn hear(output: ChildStdout, patterns: &Arc<Patterns>, tell: &Sender<Event>) -> std::io::Result<Searched> {
    let mut output = BufReader::with_capacity(1 << 20, output);
    let mut seen = Searcher::new(patterns);
    let mut printed = [Searcher::new(patterns), Searcher::new(patterns)];
    for (printed, name) in printed.iter_mut().zip(["standard output", "standard error"]) {
        printed.begin(&Place::of(Kind::Output, name))?;
    }
    let mut hear = || -> std::io::Result<()> {
        while let Some(frame) = frames::next(&mut output)? {
            match frame {
                Frame::Bytes(bytes) => seen.bytes(&bytes)?,
                Frame::Output { error, bytes } => {
                    printed.get_mut(usize::from(error)).map_or(Ok(()), |printed| printed.bytes(&bytes))?;
                }
                Frame::Message(Message::Place(place)) => seen.begin(&place)?,
                Frame::Message(Message::LeftOut { what, why }) => seen.left_out(&what, &why)?,
                Frame::Message(message) => {
                    if message == Message::Looked {
                        seen.looked();
                    }
                    // Whoever listened may have given up.
                    let _ = tell.send(Event::Said(message));
                }
            }
        }
        Ok(())
    };
    let heard = hear();
    // As above.
    let _ = tell.send(Event::Gone);
    heard?;
    let [output, errors] = printed.map(Searcher::finish);
    Ok(seen.finish().and(output).and(errors))
}

/// Searches what the run itself says on standard error; the beginning of it is kept.
fn listen(mut errors: ChildStderr, patterns: &Arc<Patterns>) -> (Searched, String) {
    let mut seen = Searcher::new(patterns);
    // Memory takes whatever comes.
    let _ = seen.begin(&Place::of(Kind::Output, "what the run itself says"));
    let (mut said, mut buffer) = (Vec::new(), vec![0_u8; 16 * 1024]);
    while let Ok(count @ 1..) = errors.read(&mut buffer) {
        let part = buffer.get(..count).unwrap_or_default();
        let _ = seen.bytes(part);
        said.extend(part.iter().take(MAX_SAID.saturating_sub(said.len())));
    }
    (seen.finish(), String::from_utf8_lossy(&said).into_owned())
}
