use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{ended_within, unheard};

#[test]
fn at_the_kept_port_nobody_answers_and_nobody_else_can_listen() {
    let (_kept, address) = unheard().unwrap();
    let address = address.strip_prefix("http://").unwrap();
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(std::net::TcpListener::bind(address).is_err());
}

#[test]
fn a_process_that_lives_is_told_from_one_that_has_ended() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let end = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    assert!(!ended_within(&end, Duration::from_millis(1)).unwrap());
    drop(child.stdin.take());
    assert!(ended_within(&end, Duration::from_secs(600)).unwrap());
    child.wait().unwrap();
}

#[test]
fn a_program_that_others_could_exchange_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("bin/client")).unwrap();
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "").unwrap();
    let mode = |path: &camino::Utf8Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut facts = coffer_host::base().unwrap();
    facts.project.path = "/nowhere".into();
    super::untouched(&path, &facts).unwrap();
    mode(&path, 0o757);
    super::untouched(&path, &facts).unwrap_err();
    mode(&path, 0o755);
    mode(path.parent().unwrap(), 0o757);
    super::untouched(&path, &facts).unwrap_err();
    // Where nobody can take away what others made, as in `/tmp`, nobody can exchange it.
    mode(path.parent().unwrap(), 0o1757);
    super::untouched(&path, &facts).unwrap();
    facts.project.path = path.parent().unwrap().to_owned();
    super::untouched(&path, &facts).unwrap_err();
}
