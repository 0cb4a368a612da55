//! Where init comes to when it cannot inherit the control socket: a container engine passes no descriptors.

use super::Channel;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with, sockopt,
};
use rustix::process::Uid;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A socket in a folder that is shown to one sandbox. It takes one connection and is gone then, before anything of the
/// agent runs.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    folder: OwnedFd,
    name: String,
}

impl Listener {
    /// Listens under a name in the folder.
    ///
    /// # Errors
    /// As `bind(2)`; `EADDRINUSE` if something stands there.
    pub fn new(folder: OwnedFd, name: &str) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        // An address is short, and the folder's path may not be.
        let path = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, 1)?;
        Ok(Self { socket, folder, name: name.to_owned() })
    }

    /// Takes the connection that is there, and closes the door behind it; `None` if there is none yet.
    ///
    /// # Errors
    /// `EPERM` if somebody else than ourselves has come; then nobody can any more. As `accept(2)`.
    pub fn accept(&self) -> io::Result<Option<Channel>> {
        let connection = match accept_with(&self.socket, SocketFlags::CLOEXEC) {
            Ok(connection) => connection,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        unlinkat(&self.folder, self.name.as_str(), AtFlags::empty())?;
        // In a container's own ids it may be another one; the kernel tells it in ours.
        if sockopt::socket_peercred(&connection)?.uid != own_uid() {
            return Err(Errno::PERM.into());
        }
        Channel::from_descriptor(connection).map(Some)
    }
}

/// Nobody comes in any more, also when nobody has.
impl Drop for Listener {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = unlinkat(&self.folder, self.name.as_str(), AtFlags::empty());
    }
}

fn own_uid() -> Uid {
    rustix::process::geteuid()
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Listener;
    use crate::control::{Channel, FromInit, PROTOCOL_VERSION};
    use rustix::event::{PollFd, PollFlags, poll};
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::path::PathBuf;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("coffer-listener-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn one_comes_in_and_the_door_is_gone() {
        let scratch = Scratch::new("one");
        let listener = Listener::new(File::open(&scratch.0).unwrap().into(), "control").unwrap();
        assert!(listener.accept().unwrap().is_none());
        let path = scratch.0.join("control");
        let init = Channel::connect(path.as_os_str().as_encoded_bytes()).unwrap();
        let host = listener.accept().unwrap().unwrap();
        assert!(!path.exists());
        init.send(&FromInit::Hello { version: PROTOCOL_VERSION }, &[]).unwrap();
        poll(&mut [PollFd::new(&host.as_fd(), PollFlags::IN)], None).unwrap();
        let heard = host.receive::<FromInit>().unwrap().unwrap().message;
        assert_eq!(heard, FromInit::Hello { version: PROTOCOL_VERSION });
        drop(listener);
        assert!(Channel::connect(path.as_os_str().as_encoded_bytes()).is_err());
    }

    #[test]
    fn a_place_that_is_taken_is_refused() {
        let scratch = Scratch::new("taken");
        let folder = || File::open(&scratch.0).unwrap().into();
        let _first = Listener::new(folder(), "control").unwrap();
        assert_eq!(Listener::new(folder(), "control").unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    }
}
