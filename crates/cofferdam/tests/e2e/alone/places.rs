//! Where a gateway listens, and who may come in there.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::{FakeApi, netns, require};
use rustix::process::{Signal, kill_process};

use super::{Gateway, account_with_key, connected, post, token};
use crate::support::record::Record;
use crate::support::{Stage, run};

/// Asks whether anybody is there.
const HELLO: &str = "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A socket's path on a stage, and the words that listen there.
fn socket(stage: &Stage) -> (PathBuf, String) {
    let path = stage.scratch.root().join("sockets/gateway.sock");
    let listen = format!("unix:{}", path.display());
    (path, listen)
}

#[test]
fn a_socket_is_the_users_alone_whatever_the_umask() {
    let stage = Stage::new();
    let (path, listen) = socket(&stage);
    let mut command = stage.command("sh");
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(stage.program());
    command.args(["gateway", "--listen", &listen, "--listen", "localhost:0"]);
    let gateway = Gateway::of(command);
    assert_eq!(gateway.places[0], listen);
    assert!(gateway.places[1].starts_with("127.0.0.1:"), "{:?}", gateway.places);
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert!(gateway.hears(HELLO).starts_with("HTTP/1.1 200 "));
    let mut other = connected(&gateway.places[1]).unwrap();
    other.write_all(HELLO.as_bytes()).unwrap();
    assert!(super::head(&mut *other).starts_with("HTTP/1.1 200 "));
    gateway.ends();
    assert!(!path.exists(), "it goes with the gateway");
}

#[test]
fn without_a_word_it_listens_on_the_usual_socket() {
    let stage = Stage::new();
    let runtime = stage.scratch.root().join("runtime-of-ours");
    let mut command = stage.coffer(["gateway"]);
    command.env("COFFER_RUNTIME_DIR", &runtime);
    let gateway = Gateway::of(command);
    assert_eq!(gateway.place(), format!("unix:{}/gateway/gateway.sock", runtime.display()));
    gateway.ends();
}

#[test]
fn places_that_others_reach_are_refused_with_the_way_out() {
    let stage = Stage::new();
    let (path, listen) = socket(&stage);
    let gateway = |listen: &str| run(stage.coffer(["gateway", "--listen", listen]));
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8377"] {
        gateway(address).refuses(2, "gateway-address", "loopback", "coffer gateway --listen unix:PATH");
    }
    for wrong in ["8377", "unix:relative", "unix:/a/../b", "example.org:80"] {
        gateway(wrong).refuses(2, "usage", "--listen", "");
    }
    let folder = path.parent().unwrap();
    std::fs::create_dir(folder).unwrap();
    for open in [0o755, 0o770, 0o711] {
        set_mode(folder, open);
        gateway(&listen).refuses(1, "gateway-folder", &format!("mode {open:04o}"), "chmod 700");
    }
    set_mode(folder, 0o700);
    std::fs::write(&path, "something").unwrap();
    gateway(&listen).refuses(1, "gateway-in-the-way", "no socket", "ls -l");
    assert_eq!(std::fs::read(&path).unwrap(), b"something");
    std::fs::remove_file(&path).unwrap();
    Gateway::of(stage.coffer(["gateway", "--listen", &listen])).ends();
}

#[test]
fn a_live_gateway_stays_and_a_dead_ones_socket_gives_way() {
    let stage = Stage::new();
    let (path, listen) = socket(&stage);
    let start = || stage.coffer(["gateway", "--listen", &listen]);
    let mut first = Gateway::of(start());
    run(start()).refuses(1, "gateway-live", "already", "one is enough");
    assert!(first.hears(HELLO).starts_with("HTTP/1.1 200 "), "the first one goes on");
    kill_process(first.pid(), Signal::KILL).unwrap();
    first.child.wait().unwrap();
    assert!(path.exists(), "what a killed one leaves");
    let second = Gateway::of(start());
    assert!(second.hears(HELLO).starts_with("HTTP/1.1 200 "));
    second.ends();
    // Somebody else's, who has no lock of ours.
    let foreign = UnixListener::bind(&path).unwrap();
    run(start()).refuses(1, "gateway-live", "already", "another one");
    assert!(path.exists());
    drop(foreign);
    Gateway::of(start()).ends();
}

/// Anybody's, not that of whoever runs the tests.
const PYTHON: &str = "/usr/bin/python3";

/// Says something on a socket as somebody with this id, and returns what comes.
fn as_somebody(uid: u32, path: &Path, text: &str) -> String {
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
                  try:\n  s.sendall(sys.argv[2].encode())\n  while (b := s.recv(4096)): sys.stdout.write(b.decode())\n\
                  except (BrokenPipeError, ConnectionResetError): pass\n";
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--clear-groups", PYTHON, "-c", script]).arg(path).arg(text);
    run(command).ends_with(0).text()
}

/// The socket is opened to everybody first: what holds then is who is at the other end.
#[test]
fn somebody_else_is_turned_away_and_a_rootless_containers_ids_are_not() {
    let test = "alone::places::somebody_else_is_turned_away_and_a_rootless_containers_ids_are_not";
    let python = Path::new(PYTHON).exists();
    let root = rustix::process::geteuid().is_root();
    if !require::capability("python3", python)
        || !require::capability("root", root)
        || !netns::inside(test, &[])
    {
        return;
    }
    let (stage, api) = (Stage::new(), FakeApi::builder().start().unwrap());
    // In the mount namespace of this test alone.
    let subuid = stage.scratch.root().join("subuid");
    std::fs::write(&subuid, "root:300000:10\nnobody:400000:10\n").unwrap();
    if !Path::new("/etc/subuid").exists() {
        std::fs::write("/etc/subuid", "").unwrap();
    }
    run(Command::new("mount").args(["--bind"]).arg(&subuid).arg("/etc/subuid")).ends_with(0);
    account_with_key(&stage, "work", &api.add_api_key(), &api.base_url());
    let (_, word) = token(&stage, "work", &[]);
    let (path, listen) = socket(&stage);
    let gateway = Gateway::of(stage.coffer(["gateway", "--listen", &listen]));
    set_mode(&path, 0o666);
    for folder in path
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with("/tmp") && *folder != Path::new("/tmp"))
    {
        set_mode(folder, 0o755);
    }
    for uid in [65_534, 1000, 299_999, 300_010, 400_000] {
        assert_eq!(as_somebody(uid, &path, &post(&word)), "", "{uid}");
    }
    assert_eq!(api.requests().len(), 0);
    for uid in [0, 300_000, 300_009] {
        assert!(as_somebody(uid, &path, &post(&word)).starts_with("HTTP/1.1 "), "{uid}");
        assert!(
            as_somebody(uid, &path, &post("wrong")).starts_with("HTTP/1.1 401 "),
            "a token is wanted all the same"
        );
    }
    assert_eq!(api.requests().len(), 3);
    gateway.ends();
    let decided = Record::of(&stage).events("gateway_decided");
    let turned: Vec<&str> = decided
        .iter()
        .filter(|event| event["verdict"] == "foreign_peer")
        .map(|event| event["rule"].as_str().unwrap())
        .collect();
    assert_eq!(turned.len(), 5, "{decided:?}");
    assert_eq!(turned[0], "uid 65534 may not come in");
}

#[test]
fn what_systemd_hands_over_is_listened_on_and_it_is_told() {
    let stage = Stage::new();
    let (path, _) = socket(&stage);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let notify = stage.scratch.root().join("notify");
    let heard = UnixDatagram::bind(&notify).unwrap();
    // As systemd starts a service: the socket is descriptor 3, and the variables name this very process.
    let handed = |listener: std::os::fd::OwnedFd, more: &[&str]| {
        let script = "exec 3<&\"$1\"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
        let mut command = stage.command("bash");
        let number = std::os::fd::AsRawFd::as_raw_fd(&listener).to_string();
        command.args(["-c", script, "bash", &number]).arg(stage.program()).arg("gateway").args(more);
        command.env("NOTIFY_SOCKET", &notify);
        coffer_sys::descriptors::inherit(&mut command, vec![listener]);
        command
    };
    let gateway = Gateway::of(handed(listener.try_clone().unwrap().into(), &[]));
    assert_eq!(gateway.places, [format!("unix:{}", path.display())], "and on nothing else");
    assert!(gateway.hears(HELLO).starts_with("HTTP/1.1 200 "));
    let mut buffer = [0; 4096];
    let mut hears = || {
        let length = heard.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let told = hears();
    assert!(told.contains("READY=1") && told.contains("STATUS=listens on unix:"), "{told}");
    gateway.ends();
    assert_eq!(hears(), "STOPPING=1\n");
    assert!(path.exists(), "it belongs to whoever handed it over");
    // The next one has it again, beside what it is told.
    let gateway = Gateway::of(handed(listener.into(), &["--listen", "127.0.0.1:0"]));
    assert_eq!(gateway.places.len(), 2);
    assert!(gateway.hears(HELLO).starts_with("HTTP/1.1 200 "));
    gateway.ends();
    // A file is no socket, and an address for everybody is refused here, too.
    let file = std::fs::File::open(stage.program()).unwrap();
    run(handed(file.into(), &[])).refuses(1, "gateway-handed-over", "descriptor 3", "--unit socket");
    let wide = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    run(handed(wide.into(), &[])).refuses(2, "gateway-address", "loopback", "unix:PATH");
}

#[test]
fn the_units_name_this_program_and_the_usual_socket() {
    let stage = Stage::new();
    let unit = |which: &[&str]| run(stage.coffer(["gateway", "--unit"]).args(which)).ends_with(0).text();
    let (service, socket) = (unit(&["service"]), unit(&["socket"]));
    let start = format!("ExecStart=\"{}\" gateway\n", stage.program().canonicalize().unwrap().display());
    for line in [&start, "Type=notify\n", "NoNewPrivileges=yes\n", "Also=coffer-gateway.socket\n"] {
        assert!(service.contains(line), "{service}");
    }
    for line in
        ["ListenStream=%t/cofferdam/gateway/gateway.sock\n", "SocketMode=0600\n", "DirectoryMode=0700\n"]
    {
        assert!(socket.contains(line), "{socket}");
    }
    let both = unit(&[]);
    assert!(both.contains(&service) && both.contains(&socket), "{both}");
}

/// What the configuration grants to runs is theirs: nobody in front of this gateway is a run.
#[test]
fn the_users_agent_for_keys_hears_nothing_of_a_gateway_alone() {
    let stage = Stage::new();
    stage.config("ssh_agent = true\n");
    let path = stage.scratch.root().join("agent");
    let agent = UnixListener::bind(&path).unwrap();
    agent.set_nonblocking(true).unwrap();
    let heard = || agent.accept().map(drop).map_err(|error| error.kind());
    // The control: whoever comes is heard.
    drop(UnixStream::connect(&path).unwrap());
    heard().unwrap();
    let mut command = stage.coffer(["gateway", "--listen", "127.0.0.1:0"]);
    command.env("SSH_AUTH_SOCK", &path);
    let gateway = Gateway::of(command);
    assert!(gateway.hears(HELLO).starts_with("HTTP/1.1 200 "));
    let said = gateway.ends();
    assert_eq!(heard(), Err(std::io::ErrorKind::WouldBlock), "{said}");
    // Beside the one that was asked for it has left no socket.
    let sockets = run(stage.command("find").arg(stage.scratch.root()).args(["-type", "s"]));
    sockets.prints(&format!("{}\n", path.display()));
}
