//! Where a gateway that stands alone listens.
//!
//! A unix socket lies in a folder that nobody but the user can enter, and a lock beside it tells a gateway that lives
//! from a socket that a dead one left.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::lock::{AccountLock, LockError};
use coffer_gateway::serve::Socket;
use coffer_sys::descriptors::take_inherited;
use rustix::net::AddressFamily;
use rustix::net::sockopt::{socket_acceptconn, socket_domain};

use super::AloneError;
use crate::cli::Listen;

/// The socket where nobody says otherwise, below the folder for what lives as long as the machine is up: in a folder
/// of its own, which can be mounted into a container with nothing else in it.
const SOCKET: &str = "gateway/gateway.sock";
/// The first descriptor that systemd hands over.
const FIRST: i32 = 3;

/// Sockets that listen.
pub(crate) struct Listening {
    pub(crate) sockets: Vec<Socket>,
    /// As `--listen` has them.
    pub(crate) places: Vec<String>,
    /// What was made for them; it goes when this is dropped.
    pub(crate) made: Vec<Made>,
}

/// A socket that was made here; it goes with the gateway.
pub(crate) struct Made {
    path: Utf8PathBuf,
    _lock: AccountLock,
}

impl Drop for Made {
    fn drop(&mut self) {
        // What stays is taken for what it is by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens on these, and on what systemd handed over; on the usual socket where there is neither.
///
/// # Errors
/// When one of them cannot be listened on.
pub(crate) fn open(listen: &[Listen], runtime: &Utf8Path) -> Result<Listening, AloneError> {
    let mut out = Listening { sockets: Vec::new(), places: Vec::new(), made: Vec::new() };
    for (socket, place) in handed_over()? {
        out.sockets.push(socket);
        out.places.push(place);
    }
    let usual = [usual(runtime)];
    let listen = if listen.is_empty() && out.sockets.is_empty() { &usual[..] } else { listen };
    for one in listen {
        let (socket, place) = match one {
            Listen::Tcp(address) => tcp(*address)?,
            Listen::Unix(path) => {
                let (socket, made) = unix(path)?;
                out.made.push(made);
                (Socket::Unix(socket), format!("unix:{path}"))
            }
        };
        out.sockets.push(socket);
        out.places.push(place);
    }
    Ok(out)
}

/// The socket where nobody says otherwise.
pub(crate) fn usual(runtime: &Utf8Path) -> Listen {
    Listen::Unix(runtime.join(SOCKET))
}

fn tcp(address: SocketAddr) -> Result<(Socket, String), AloneError> {
    if !address.ip().is_loopback() {
        return Err(AloneError::NotLoopback { address });
    }
    let failed = |source| AloneError::Listen { place: address.to_string(), source };
    let socket = TcpListener::bind(address).map_err(failed)?;
    // Port 0 has become another one.
    let place = socket.local_addr().map_err(failed)?.to_string();
    Ok((Socket::Tcp(socket), place))
}

fn unix(path: &Utf8Path) -> Result<(UnixListener, Made), AloneError> {
    let failed = |source| AloneError::Listen { place: format!("unix:{path}"), source };
    let folder = path.parent().ok_or_else(|| failed(ErrorKind::IsADirectory.into()))?;
    private(folder)?;
    let busy = |source: LockError| match source {
        LockError::Busy { .. } => AloneError::Live { path: path.to_owned(), source: Some(source) },
        LockError::Io { source, .. } => failed(source),
    };
    let lock = AccountLock::try_take(&Utf8PathBuf::from(format!("{path}.lock"))).map_err(busy)?;
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => match UnixStream::connect(path) {
            // Nobody of ours, who would hold the lock.
            Ok(_) => return Err(AloneError::Live { path: path.to_owned(), source: None }),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        },
        Ok(_) => return Err(AloneError::InTheWay { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let socket = UnixListener::bind(path).map_err(failed)?;
    let made = Made { path: path.to_owned(), _lock: lock };
    // Nobody else can enter the folder meanwhile.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
    Ok((socket, made))
}

/// The folder is the user's alone; made where it is missing.
fn private(folder: &Utf8Path) -> Result<(), AloneError> {
    let failed = |source| AloneError::Listen { place: format!("unix:{folder}"), source };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(failed)?;
    let found = folder.metadata().map_err(failed)?;
    let open = |what: String| AloneError::Folder { path: folder.to_owned(), what };
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(open(format!("owner {}", found.uid())));
    }
    match found.mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(open(format!("mode {mode:04o}"))),
        _ => Ok(()),
    }
}

/// What systemd handed over (`LISTEN_FDS`). Each of its descriptors stays open on exec until it is taken, by which it
/// is known that none of them is ours.
fn handed_over() -> Result<Vec<(Socket, String)>, AloneError> {
    let number = |name| {
        let value = coffer_host::variable(name)?;
        std::str::from_utf8(&value).ok()?.parse::<u32>().ok()
    };
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
    (FIRST..FIRST.saturating_add(count)).map(taken).collect()
}

fn taken(number: i32) -> Result<(Socket, String), AloneError> {
    let refused = |reason: String| AloneError::HandedOver { number, reason };
    let failed = |error: std::io::Error| refused(error.to_string());
    let descriptor: OwnedFd = take_inherited(number).map_err(failed)?;
    if !socket_acceptconn(&descriptor).is_ok_and(|listens| listens) {
        return Err(refused("it is no socket that listens".to_owned()));
    }
    match socket_domain(&descriptor) {
        Ok(AddressFamily::UNIX) => {
            let socket = UnixListener::from(descriptor);
            let address = socket.local_addr().map_err(failed)?;
            let path = address.as_pathname().map(|path| path.display().to_string());
            Ok((Socket::Unix(socket), format!("unix:{}", path.unwrap_or_default())))
        }
        Ok(AddressFamily::INET | AddressFamily::INET6) => {
            let socket = TcpListener::from(descriptor);
            let address = socket.local_addr().map_err(failed)?;
            if !address.ip().is_loopback() {
                return Err(AloneError::NotLoopback { address });
            }
            Ok((Socket::Tcp(socket), address.to_string()))
        }
        Ok(_) => Err(refused("it is neither a unix socket nor one of TCP".to_owned())),
        Err(error) => Err(failed(error.into())),
    }
}
