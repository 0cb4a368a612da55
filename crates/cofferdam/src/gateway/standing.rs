//! Lets more hosts through a gateway that is at work: `coffer allow HOST --run ID`.
//!
//! It listens on a socket in its run's folder, which nobody but the user can enter.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Weak;
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use coffer_gateway::setup::{Rule, Setup};
use coffer_launch::launch::Allow;
use rustix::net::sockopt::socket_peercred;

/// The socket in a run's folder.
const SOCKET: &str = "gateway.sock";
/// Longest line that is heard, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// How long one may take to say it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens for more hosts as long as the gateway serves.
pub(super) fn listen(folder: &Utf8Path, setup: Weak<Setup>) -> io::Result<()> {
    let socket = UnixListener::bind(folder.join(SOCKET))?;
    let thread = thread::Builder::new().name("standing".to_owned());
    thread.spawn(move || {
        for stream in socket.incoming().flatten() {
            // Whoever says nothing well has nothing done.
            let Some(setup) = setup.upgrade() else { break };
            let _ = hear(&stream, &setup);
        }
    })?;
    Ok(())
}

fn hear(stream: &UnixStream, setup: &Setup) -> io::Result<()> {
    let peer = socket_peercred(stream)?;
    if peer.uid != rustix::process::geteuid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line)?;
    let more: Vec<Allow> = serde_json::from_str(&line)?;
    for Allow { host, port, ranges, origin } in more {
        setup.reach.add(Rule { pattern: host, port, ranges, origin: origin.into() });
    }
    let mut stream = stream;
    stream.write_all(b"ok\n")
}

/// Lets these through the gateway of a run.
///
/// # Errors
/// When the run has no gateway, or it does not answer.
pub(crate) fn allow(folder: &Utf8Path, more: &[Allow]) -> io::Result<()> {
    let mut stream = UnixStream::connect(folder.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(more)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut answer)?;
    if answer == "ok\n" { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
}
