//! The filters in front of the user's agents for keys: a process of its own beside the run, as the gateway is.
//!
//! [`KeyGuard`] is this side of it: it makes the sockets in the run's folder, hands them over, ends the process by
//! closing its input, and hears then what was done. The other side is [`serve`].

mod ask;
mod record;
pub(crate) mod serve;

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use coffer_launch::launch::KeyAgents;
use coffer_launch::run::RunError;
use serde::{Deserialize, Serialize};

use crate::gateway::ended;
use crate::printer::Printer;

/// The hidden command that is the filters.
pub(crate) const VERB: &str = "key-agents-of-run";
/// How long they may take to write down what they did.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// The most kinds of refusals that are told at the end.
const MOST_TOLD: usize = 10;

/// What the filters are told on their standard input, in one line.
#[derive(Serialize, Deserialize)]
struct Job {
    /// The run.
    run: String,
    /// Public, as it stands in the launch.
    agents: KeyAgents,
    /// Numbers of listening sockets, one for each filter.
    sockets: Vec<i32>,
}

/// Requests that were alike, and what came of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    /// `ssh` or `gpg`.
    agent: String,
    /// `sign`, `decrypt`, …
    what: String,
    /// By which key.
    key: Option<String>,
    /// The verdict's word.
    verdict: String,
    /// How often.
    times: u64,
}

/// This side of the filters.
#[derive(Default)]
pub(crate) struct KeyGuard {
    running: Mutex<Option<Running>>,
    heard: Mutex<Option<Heard>>,
}

struct Running {
    child: Child,
    /// The filters live as long as it is open.
    input: ChildStdin,
}

struct Heard {
    sums: Vec<Sum>,
    /// Whether they ended by themselves.
    lost: bool,
}

impl KeyGuard {
    /// Makes the sockets in the folder, and starts the filters behind them.
    pub(crate) fn open(&self, run: &str, folder: BorrowedFd<'_>, agents: &KeyAgents) -> Result<(), RunError> {
        let running = start(run, folder, agents).map_err(RunError::KeyAgents)?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }

    /// Ends the filters.
    pub(crate) fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { mut child, input }) = running else { return };
        // It is asked to end in this way; if it has ended already, that was not by our word.
        let gone = ended(&child, Duration::ZERO);
        drop(input);
        if !ended(&child, LAST_WORDS) {
            let _ = child.kill();
        }
        let status = child.wait().ok();
        let mut said = String::new();
        // All that it says fits into the pipe, so that it never waits for us.
        let read = child.stdout.take().map(|mut output| output.read_to_string(&mut said));
        let sums = read.and_then(|_| serde_json::from_str(&said).ok()).unwrap_or_default();
        let lost = gone || !status.is_some_and(|status| status.success());
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Heard { sums, lost });
    }

    /// Tells what was refused.
    pub(crate) fn report(&self, printer: &Printer) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Heard { sums, lost }) = heard else { return };
        if lost {
            printer.insist("The filter in front of your keys ended before the run did; no key could be used from then on\n");
        }
        let refused: Vec<String> = sums
            .iter()
            .filter(|sum| matches!(sum.verdict.as_str(), "denied" | "declined"))
            .map(|sum| {
                let Sum { agent, what, key, verdict, times } = sum;
                let key = key.as_ref().map_or_else(String::new, |key| format!(" with {key}"));
                format!("  {agent}: {what}{key}, {verdict}, {times} times\n")
            })
            .collect();
        if !refused.is_empty() {
            let more = refused.len().saturating_sub(MOST_TOLD);
            let more =
                if more > 0 { format!("  and {more} more: `coffer ledger show`\n") } else { String::new() };
            let first: String = refused.into_iter().take(MOST_TOLD).collect();
            printer.insist(&format!("Not done with your keys:\n{first}{more}"));
        }
    }
}

fn start(run: &str, folder: BorrowedFd<'_>, agents: &KeyAgents) -> io::Result<Running> {
    let sockets: Vec<OwnedFd> =
        agents.filters.iter().map(|filter| listen(folder, &filter.name)).collect::<io::Result<_>>()?;
    let job = Job {
        run: run.to_owned(),
        agents: agents.clone(),
        sockets: sockets.iter().map(|socket| socket.as_raw_fd()).collect(),
    };
    let mut line = serde_json::to_vec(&job)?;
    line.push(b'\n');
    let mut command = Command::new("/proc/self/exe");
    command.arg0("coffer").arg(VERB).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    coffer_sys::descriptors::inherit(&mut command, sockets);
    let mut child = command.spawn()?;
    drop(command);
    let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    input.write_all(&line)?;
    Ok(Running { child, input })
}

/// A socket in the folder, however long the way there is: the name of a socket has little room.
fn listen(folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    Ok(listener.into())
}
