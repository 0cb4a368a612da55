//! One end of the control socket.

use super::wire::Message;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg, sendmsg,
    socket_with, socketpair, sockopt,
};
use rustix::process::Pid;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most descriptors that one message carries.
pub const MAX_PASSED: usize = 5;

/// Longer than any message, so that a longer datagram shows by truncation.
const DATAGRAM: usize = 256;

/// A message and the descriptors that came with it; all of them close on exec.
#[derive(Debug)]
pub struct Received<M> {
    /// What was said.
    pub message: M,
    /// In the order in which they were passed.
    pub descriptors: Vec<OwnedFd>,
    /// Who said it, by the kernel's word and in our pid namespace; only after [`Channel::identify_senders`].
    pub sender: Option<Pid>,
}

/// One end of the control socket.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// Two connected ends, both closing on exec.
    ///
    /// # Errors
    /// As `socketpair(2)`.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Connects to a [`Listener`](super::Listener) at a path.
    ///
    /// # Errors
    /// As `connect(2)`; `ENAMETOOLONG` for a path that no address holds.
    pub fn connect(path: &[u8]) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self(socket))
    }

    /// Takes a descriptor for an end of a control socket.
    ///
    /// # Errors
    /// `ENOTSOCK` if it is none, `EPROTOTYPE` if it is a socket of another kind.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_type(&descriptor)? == SocketType::SEQPACKET {
            Ok(Self(descriptor))
        } else {
            Err(Errno::PROTOTYPE.into())
        }
    }

    /// The same end once more.
    ///
    /// # Errors
    /// As `dup(2)`.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// The bare descriptor.
    pub fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// Asks the kernel to name the sender of each message that comes in here.
    ///
    /// # Errors
    /// As `setsockopt(2)`.
    pub fn identify_senders(&self) -> io::Result<()> {
        Ok(sockopt::set_socket_passcred(&self.0, true)?)
    }

    /// Says `message` and passes at most [`MAX_PASSED`] descriptors with it. Never raises `SIGPIPE`.
    ///
    /// # Errors
    /// `EPIPE` or `ECONNRESET` when the other side is gone; `EINVAL` for too many descriptors.
    pub fn send<M: Message>(&self, message: &M, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = message.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PASSED))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fits = descriptors.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        if !fits {
            return Err(Errno::INVAL.into());
        }
        let parts = [IoSlice::new(&bytes)];
        rustix::io::retry_on_intr(|| sendmsg(&self.0, &parts, &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// Waits for the next message; `None` once the other side is gone.
    ///
    /// # Errors
    /// As `recvmsg(2)`; `InvalidData` for a datagram that is no message of this direction.
    pub fn receive<M: Message>(&self) -> io::Result<Option<Received<M>>> {
        let mut bytes = [0_u8; DATAGRAM];
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PASSED), ScmCredentials(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            match recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Ok(got) => break got,
                // Said once, and ahead of what is still to be read, when the other side went without having read
                // all of ours.
                Err(Errno::CONNRESET | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let (mut descriptors, mut sender) = (Vec::new(), None);
        for item in ancillary.drain() {
            match item {
                RecvAncillaryMessage::ScmRights(passed) => descriptors.extend(passed),
                RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials.pid),
                _ => {}
            }
        }
        if got.bytes == 0 {
            return Ok(None);
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a control message was cut short"));
        }
        let datagram = bytes.get(..got.bytes).unwrap_or_default();
        let message =
            M::decode(datagram).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Some(Received { message, descriptors, sender }))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
