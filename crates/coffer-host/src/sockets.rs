//! Sockets that somebody wants inside: who listens there, and which ones variables name.

use std::io;
use std::os::unix::net::UnixStream;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, PathKind, Questions, SocketFacts, SocketKind};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_to, socket_with,
};

use crate::paths;
use crate::read::read_kernel;
use crate::variable::variable;

#[cfg(test)]
mod tests;

/// Variables that name sockets, and what those are.
const NAMED: &[(&str, SocketKind)] = &[
    ("DOCKER_HOST", SocketKind::ContainerEngine),
    ("CONTAINER_HOST", SocketKind::ContainerEngine),
    ("BUILDKIT_HOST", SocketKind::ContainerEngine),
    ("DBUS_SESSION_BUS_ADDRESS", SocketKind::Bus),
    ("DBUS_SYSTEM_BUS_ADDRESS", SocketKind::Bus),
    ("SSH_AUTH_SOCK", SocketKind::SshAgent),
];

/// Looks at the sockets that are asked about; nothing is looked at where none is.
pub(crate) fn note(facts: &mut HostFacts, questions: &Questions) {
    let is_socket = |path: &Utf8PathBuf| {
        let fact = paths::look(path);
        (fact.kind == PathKind::Socket).then_some(fact.resolved)
    };
    let asked: Vec<Utf8PathBuf> = questions.sockets.iter().filter_map(is_socket).collect();
    if asked.is_empty() {
        return;
    }
    let mut out = SocketFacts::default();
    for (name, kind) in NAMED {
        let value = variable(name).and_then(|value| String::from_utf8(value.to_vec()).ok());
        for path in value.iter().flat_map(|value| paths_in(value)) {
            if let Some(resolved) = is_socket(&path) {
                paths::note(facts, &resolved);
                out.named.insert(resolved, *kind);
            }
        }
    }
    for path in asked {
        if let Some(name) = listener(&path) {
            out.listeners.insert(path, name);
        }
    }
    facts.sockets = out;
}

/// Paths of sockets in what a variable says: a path, `unix://PATH`, or addresses of a bus.
fn paths_in(value: &str) -> Vec<Utf8PathBuf> {
    let addresses = value.split(';').filter_map(|address| {
        let pairs = address.strip_prefix("unix:").unwrap_or(address);
        let path = pairs.split(',').find_map(|pair| pair.strip_prefix("path=")).unwrap_or(pairs);
        let path = path.strip_prefix("//").unwrap_or(path);
        path.starts_with('/').then(|| coffer_plan::path::clean(Utf8Path::new(path)))
    });
    addresses.collect()
}

/// The program that listens, by the kernel's name of it; `None` when nobody does, or it cannot be seen.
fn listener(path: &Utf8Path) -> Option<String> {
    let peer = socket_peercred(connect(path).ok()?).ok()?;
    let name = read_kernel(&Utf8PathBuf::from(format!("/proc/{}/comm", peer.pid.as_raw_pid())))?;
    Some(name.trim_end().to_owned())
}

/// Connects without ever waiting for who listens.
pub(crate) fn connect(path: &Utf8Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect_to(&socket, &SocketAddrUnix::new(path.as_str())?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}
