//! The process of the filters.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use coffer_keys::gpg::Grips;
use coffer_keys::serve::{Filter, Keys, Used, Warden, serve};
use coffer_launch::launch::{KeyAgents, KeyFilter};
use coffer_plan::plan::KeyAgentKind;
use coffer_plan::show::audit::printable;
use coffer_sys::descriptors::take_inherited;

use super::Job;
use super::ask::Asker;
use super::record::{Pen, Recorder};
use crate::commands::ledger;

/// Serves until standard input ends; the exit code.
pub(crate) fn key_agents_of_run() -> u8 {
    // No terminal's signal is meant for it: it ends with its run.
    let _ = rustix::process::setsid();
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let job = input.read_until(b'\n', &mut line).and_then(|_| Ok(serde_json::from_slice::<Job>(&line)?));
    match job.and_then(begin) {
        Ok(recorder) => {
            // Until whoever started it closes the pipe, or is gone.
            let mut rest = [0_u8; 64];
            while !matches!(input.read(&mut rest), Ok(0)) {}
            let sums = serde_json::to_vec(&recorder.finish()).unwrap_or_default();
            // Gone, it has nobody to tell.
            let mut output = io::stdout().lock();
            let _ = output.write_all(&sums).and_then(|()| output.flush());
            0
        }
        Err(_) => 1,
    }
}

fn begin(job: Job) -> io::Result<Recorder> {
    let Job { run, agents, sockets } = job;
    let facts = coffer_host::base().map_err(io::Error::other)?;
    let recorder = Recorder::start(&run, ledger::of(&facts))?;
    let warden = Arc::new(Guard::new(&run, &agents, recorder.pen()));
    for (filter, socket) in agents.filters.iter().zip(sockets) {
        let listener = UnixListener::from(take_inherited(socket)?);
        let KeyFilter { agent, socket, name: _, keys: _ } = filter;
        let filter = Filter {
            keys: keys(filter, &run, &agents),
            agent: socket.clone().into_std_path_buf(),
            warden: warden.clone(),
        };
        serve(listener, filter).map_err(|error| io::Error::other(format!("{}: {error}", agent.word())))?;
    }
    Ok(recorder)
}

/// What a filter lets through.
fn keys(filter: &KeyFilter, run: &str, agents: &KeyAgents) -> Keys {
    let keys = &filter.keys;
    let called = |fingerprint: &str, label: &str| printable(&format!("{fingerprint} {label}"));
    match filter.agent {
        KeyAgentKind::Ssh => {
            let key = |key: &coffer_plan::plan::GrantedKey| {
                (key.fingerprint.clone(), called(&key.fingerprint, &key.label))
            };
            Keys::Ssh(keys.iter().map(key).collect())
        }
        KeyAgentKind::Gpg => {
            let mut grips = Grips {
                sign: BTreeMap::new(),
                decrypt: BTreeMap::new(),
                description: format!(
                    "The sandbox of the run {run} ({}) wants to use this key.",
                    agents.project
                ),
            };
            for key in keys {
                let entry = |grip: &String| (grip.clone(), called(&key.fingerprint, &key.label));
                grips.sign.extend(key.sign.iter().map(entry));
                grips.decrypt.extend(key.decrypt.iter().map(entry));
            }
            Keys::Gpg(grips)
        }
    }
}

/// Asks and writes down, for all filters of the run.
struct Guard {
    asker: Option<Asker>,
    /// Whose sandbox it is, in words.
    whose: String,
    pen: Pen,
}

impl Guard {
    fn new(run: &str, agents: &KeyAgents, pen: Pen) -> Self {
        let whose = format!("The sandbox of the run {run} ({})", printable(agents.project.as_str()));
        Self { asker: agents.confirm.clone().map(Asker::new), whose, pen }
    }
}

impl Warden for Guard {
    fn agrees(&self, agent: &'static str, to: &str, key: &str) -> bool {
        let Some(asker) = &self.asker else { return true };
        asker.agrees(&format!("{} wants to {to} with your {agent} key\n{key}\nAllow it?", self.whose))
    }

    fn used(&self, agent: &'static str, used: &Used) {
        self.pen.note(agent, used);
    }
}
