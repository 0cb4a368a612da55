//! `coffer-init connect PROXY HOST PORT`: the way of `ssh` and the like through the gateway, inside the sandbox.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;

use coffer_gateway::connect::connect;
use coffer_plan::host::Endpoint;

/// The first word after the program's name.
pub(crate) const VERB: &str = "connect";
/// What `ssh` shows as the end of a command that failed.
const FAILED: u8 = 1;

/// Does it; the exit code.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match carried(&words) {
        Ok(()) => 0,
        Err(message) => {
            // It stands beside what `ssh` or `git` say themselves; nobody can be told when nobody reads it.
            let _ = writeln!(std::io::stderr(), "{message}");
            FAILED
        }
    }
}

fn carried(words: &[String]) -> Result<(), String> {
    let usage = || "usage: coffer-init connect ADDRESS:PORT HOST PORT".to_owned();
    let [proxy, host, port] = words else { return Err(usage()) };
    let proxy: SocketAddr = proxy.parse().map_err(|_| usage())?;
    let host = host.parse().map_err(|error: coffer_plan::host::BadHost| error.to_string())?;
    let to = Endpoint { host, port: port.parse().map_err(|_| usage())? };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot begin: {error}"))?;
    let local = tokio::task::LocalSet::new();
    let ended = local.block_on(&runtime, connect(proxy, &to, tokio::io::stdin(), tokio::io::stdout()));
    // What is read from standard input may never come: nobody waits for it.
    runtime.shutdown_background();
    ended.map_err(|error| error.to_string())
}
