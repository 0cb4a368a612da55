//! Carries connections from a port of the container's loopback to the gateway's socket.
//!
//! The socket is looked for anew for each connection, so that a keeper that was started again is found; while it is
//! not there, a connection waits for a moment.

use std::io;
use std::net::TcpListener as StdListener;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::commands::stack_error::StackError;

/// How long a connection waits for a gateway that is just being started.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long until it is looked for again. No event tells that somebody listens on a socket.
const AGAIN: Duration = Duration::from_millis(100);

/// Begins to carry, on a thread of its own, until this process ends.
pub(super) fn start(listener: StdListener, socket: Utf8PathBuf) -> Result<(), StackError> {
    let failed = |source| StackError::Enter { action: "carry connections to the gateway", source };
    listener.set_nonblocking(true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name("carry".to_owned());
    // It ends with the process: whoever is carried then has nobody left to talk to.
    let carry = move || runtime.block_on(accept(listener, socket));
    thread.spawn(carry).map(drop).map_err(failed)
}

async fn accept(listener: StdListener, socket: Utf8PathBuf) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(carry(stream, socket.clone()))),
            // One that has gone again, or no descriptor is left: those who are carried go on.
            Err(_) => sleep(AGAIN).await,
        }
    }
}

async fn carry(mut stream: TcpStream, socket: Utf8PathBuf) {
    // What is small goes at once: answers come in pieces.
    let _ = stream.set_nodelay(true);
    let connect = async {
        loop {
            match UnixStream::connect(&socket).await {
                Ok(gateway) => return gateway,
                Err(_) => sleep(AGAIN).await,
            }
        }
    };
    // Whoever waits in vain sees the connection end.
    let Ok(mut gateway) = timeout(PATIENCE, connect).await else { return };
    let _ = copy_bidirectional(&mut stream, &mut gateway).await;
}
