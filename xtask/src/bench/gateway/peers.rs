//! The proxies beside which the gateway is measured, each with as short a configuration as does the same work.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::Error;

/// How long a peer may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a peer adds to each request: as long as a key.
const HEADER: &str =
    "sk-ant-api03-FAKE-key-that-a-reverse-proxy-adds-to-each-request-as-it-goes-out-0123456789";

/// A proxy at work; it ends when this is dropped.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    child: Child,
}

impl Peer {
    pub(super) fn nginx(folder: &Path, upstream: SocketAddr) -> Result<Self, Error> {
        let address = free()?;
        let cores = cores();
        let folder = made(folder, "nginx")?;
        let at = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name};\n"))
            .concat();
        let config = format!(
            "worker_processes {cores};\ndaemon off;\npid {at}/pid;\nerror_log {at}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{temporary}keepalive_requests 1000000000;\n\
             upstream api {{ server {upstream}; keepalive 128; keepalive_requests 1000000000; }}\n\
             server {{ listen {address} reuseport; location / {{ proxy_pass http://api; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_set_header x-api-key {HEADER}; proxy_buffering off; }} }}\n}}\n"
        );
        let file = written(&folder, "nginx.conf", &config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(file).arg("-e").arg(folder.join("error.log"));
        Self::start("nginx", address, command)
    }

    pub(super) fn haproxy(folder: &Path, upstream: SocketAddr) -> Result<Self, Error> {
        let address = free()?;
        let cores = cores();
        let folder = made(folder, "haproxy")?;
        let config = format!(
            "global\n nbthread {cores}\n maxconn 4096\n\
             defaults\n mode http\n option http-no-delay\n http-reuse always\n timeout client 60s\n timeout server 60s\n timeout connect 5s\n\
             frontend in\n bind {address}\n http-request set-header x-api-key {HEADER}\n default_backend api\n\
             backend api\n server api {upstream}\n"
        );
        let file = written(&folder, "haproxy.cfg", &config)?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        Self::start("haproxy", address, command)
    }

    pub(super) fn squid(folder: &Path) -> Result<Self, Error> {
        let address = free()?;
        let folder = made(folder, "squid")?;
        let at = folder.display();
        // Logs and a cache are switched off: the gateway has no cache, and its ledger is its own figure.
        let config = format!(
            "http_port {address}\nhttp_access allow all\ncache deny all\ncache_mem 0\naccess_log none\n\
             cache_log {at}/cache.log\ncache_store_log none\npid_filename {at}/pid\ncoredump_dir {at}\n\
             pinger_enable off\nshutdown_lifetime 0 seconds\nworkers 1\nvisible_hostname localhost\n"
        );
        let file = written(&folder, "squid.conf", &config)?;
        let mut command = Command::new("squid");
        command.arg("-N").arg("-f").arg(file);
        Self::start("squid", address, command)
    }

    pub(super) fn mitmproxy(folder: &Path, mitmdump: &Path) -> Result<Self, Error> {
        let address = free()?;
        let folder = made(folder, "mitmproxy")?;
        let mut command = Command::new(mitmdump);
        command.args(["-q", "--listen-host", "127.0.0.1", "--set", "stream_large_bodies=1"]);
        command.arg("--set").arg(format!("confdir={}", folder.display()));
        command.args(["--listen-port", &address.port().to_string()]);
        if let Some(site) = mitmdump.parent().and_then(Path::parent) {
            command.env("PYTHONPATH", site);
        }
        Self::start("mitmproxy", address, command)
    }

    fn start(name: &'static str, address: SocketAddr, mut command: Command) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|source| Error::Start { command: name.to_owned(), source })?;
        let mut peer = Self { name, address, child };
        peer.await_listening()?;
        Ok(peer)
    }

    fn await_listening(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let stderr = ended.map_or("it does not listen".to_owned(), |status| status.to_string());
                return Err(Error::Failed { command: self.name.to_owned(), stderr });
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "nobody tells when a foreign program begins to listen"
            )]
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM, so that workers go with their master.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An address that nobody listens at right now.
fn free() -> Result<SocketAddr, Error> {
    let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    found.map_err(|source| Error::Start { command: "a listening socket".to_owned(), source })
}

/// A folder of the peer's own; workers of another user write in it.
fn made(parent: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = parent.join(name);
    let cannot = |source| Error::Write { path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(cannot)?;
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&path, open).map_err(cannot)?;
    Ok(path)
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(path)
}
