//! What listens on the stage. Whoever connects is greeted with the canary.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::world::METADATA_6;

/// Where the proxy of a run listens inside, and outside a careless one.
pub(super) const PROXY_PORT: u16 = 3128;
/// Where the API of a run listens inside, and outside a careless one.
pub(super) const API_PORT: u16 = 8377;
/// Where X11 listens for the display 213, by path and by abstract name.
pub(super) const X11: &str = "/tmp/.X11-unix/X213";
const METADATA_PORT: u16 = 80;
const NAMES_PORT: u16 = 53;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(2);

/// The ports that the system picked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) tcp: u16,
    pub(super) udp: u16,
}

/// Listens on everything, until the process ends.
pub(super) fn start(canary: &str, abstract_name: &str) -> io::Result<Ports> {
    let any = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let tcp = any.local_addr()?.port();
    serve(any, canary);
    for port in [METADATA_PORT, PROXY_PORT, API_PORT] {
        serve(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?, canary);
    }
    // Without IPv6 nothing is proven about it.
    for (address, port) in [("::1", tcp), (METADATA_6, METADATA_PORT)] {
        if let Ok(listener) = TcpListener::bind((address, port)) {
            serve(listener, canary);
        }
    }
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ports = Ports { tcp, udp: udp.local_addr()?.port() };
    answer(udp, canary);
    answer(UdpSocket::bind((Ipv4Addr::LOCALHOST, NAMES_PORT))?, canary);
    for name in [abstract_name, X11] {
        greet(UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?, canary);
    }
    // A machine that never had a display has no folder for it, and nothing is proven about the path then.
    if Path::new(X11).parent().is_some_and(Path::is_dir) {
        at(Path::new(X11), canary)?;
    }
    Ok(ports)
}

/// Listens at a path, until the process ends.
pub(super) fn at(path: &Path, canary: &str) -> io::Result<()> {
    greet(UnixListener::bind(path)?, canary);
    Ok(())
}

fn greet(listener: UnixListener, canary: &str) {
    let canary = canary.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Who is gone needs no greeting.
            let _ = stream.write_all(canary.as_bytes());
        }
    });
}

/// Says yes to every request of HTTP.
fn serve(listener: TcpListener, canary: &str) {
    let text =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{canary}", canary.len());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who is gone needs no answer.
            let _ = say(stream, &text);
        }
    });
}

fn say(mut stream: TcpStream, text: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(text.as_bytes())
}

fn answer(socket: UdpSocket, canary: &str) {
    let canary = canary.to_owned();
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 512]) {
            // Who is gone needs no answer.
            let _ = socket.send_to(canary.as_bytes(), from);
        }
    });
}
