//! The doors of a sandbox: sockets that are made in here, in the sandbox's own network, and served by the gateway
//! outside. No byte of a connection goes through init.

use crate::agent::SetupFailed;
use coffer_sys::control::{Channel, FromGateway, Step, ToGateway};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt::set_socket_reuseaddr,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Connections that wait for the gateway to take them; the kernel bounds it by its own limit.
const BACKLOG: i32 = 4096;

/// Listens at each address, hands the sockets to the gateway, and waits until it serves. No descriptor of a listening
/// socket stays open in here: when the gateway is gone, so are they, and whoever connects is refused at once.
pub(crate) fn open(gateway: &Channel, addresses: &[SocketAddr]) -> Result<(), SetupFailed> {
    for address in addresses {
        let socket = listening(*address).map_err(|errno| failed(Step::Listen, errno.into()))?;
        let sent = gateway.send(&ToGateway::Listening, &[socket.as_fd()]);
        sent.map_err(|cause| failed(Step::Gateway, cause))?;
    }
    match gateway.receive::<FromGateway>().map_err(|cause| failed(Step::Gateway, cause))? {
        Some(received) if received.message == FromGateway::Serving => Ok(()),
        Some(_) => Err(failed(Step::Gateway, Errno::PROTO.into())),
        None => Err(failed(Step::Gateway, Errno::PIPE.into())),
    }
}

/// Answers the gateway; `false` once it is gone.
pub(crate) fn answer(gateway: &Channel) -> bool {
    let wanted = match gateway.receive::<FromGateway>() {
        Ok(Some(received)) => received.message,
        Ok(None) | Err(_) => return false,
    };
    match wanted {
        // Said once more, it changes nothing.
        FromGateway::Serving => true,
        FromGateway::Sockets => {
            let sockets: Result<Vec<OwnedFd>, Errno> =
                [AddressFamily::INET, AddressFamily::INET6].into_iter().map(unconnected).collect();
            let sockets = sockets.unwrap_or_default();
            let passed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
            gateway.send(&ToGateway::Sockets, &passed).is_ok()
        }
    }
}

fn failed(step: Step, cause: io::Error) -> SetupFailed {
    SetupFailed { step, cause }
}

fn unconnected(family: AddressFamily) -> Result<OwnedFd, Errno> {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

fn listening(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = unconnected(family)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}
