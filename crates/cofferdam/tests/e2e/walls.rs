//! What the sandbox keeps apart. Each probe is run on the host, too: there it must succeed.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// Stands in files that must not be read.
const SECRET: &str = "coffer-e2e-secret";

/// Runs a probe on the host, in the project, as the user of the stage.
fn on_host(stage: &Stage, script: &str) -> Ran {
    run(stage.command("sh").args(["-c", script]))
}

/// The probe succeeds on the host and fails inside.
#[track_caller]
fn apart(stage: &Stage, script: &str) {
    let control = on_host(stage, script);
    assert_eq!(control.code, Some(0), "no positive control for `{script}`: {control}");
    let ran = stage.inside(&[], script);
    assert_ne!(ran.code, Some(0), "`{script}` succeeded inside: {ran}");
    assert!(!ran.stderr.contains("error["), "`{script}` did not run: {ran}");
}

/// The probe succeeds on both sides.
#[track_caller]
fn shared(stage: &Stage, script: &str) {
    on_host(stage, script).ends_with(0);
    stage.inside(&[], script).ends_with(0);
}

pub(crate) fn nothing_of_the_home_can_be_read(stage: &Stage) {
    for file in [
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".config/gcloud/token",
        ".gnupg/key",
        ".netrc",
        ".bash_history",
        ".config/gh/hosts.yml",
        ".docker/config.json",
        ".claude/.credentials.json.bak",
        "other/project/file",
    ] {
        stage.scratch.write_home(file, SECRET).unwrap();
        let path = stage.home().join(file).display().to_string();
        apart(stage, &format!("cat '{path}'"));
        apart(stage, &format!("grep -q {SECRET} '{path}'"));
    }
    stage.project_file("mine", "x");
    shared(stage, "cat mine");
    let ran = stage.inside(
        &[],
        &format!("grep -rl {SECRET} \"$HOME\" /tmp /var /run /etc /mnt /srv 2>/dev/null; ls -A ~/work"),
    );
    assert_eq!(ran.text(), "project\n", "{ran}");
}

#[test]
fn the_home_cannot_be_read() {
    if sandboxes() {
        nothing_of_the_home_can_be_read(&Stage::new());
    }
}

pub(crate) fn nothing_is_written_but_project_and_state(stage: &Stage) {
    let other = stage.scratch.root().join("other");
    std::fs::create_dir_all(&other).unwrap();
    // Inside, a folder of memory may take its place; what counts is the host.
    let script = format!(
        "for place in '{other}' '{home}' '{home}/.config' '{home}/work' /tmp /var/tmp /dev/shm; do \
         mkdir -p $place 2>/dev/null; echo x > $place/coffer-e2e-$1 2>/dev/null; done; echo x > mine-$1",
        other = other.display(),
        home = stage.home().display(),
    );
    let (outside, inside) = (format!("set -- outside; {script}"), format!("set -- inside; {script}"));
    on_host(stage, &outside).ends_with(0);
    stage.inside(&[], &inside).ends_with(0);
    let places = [other, stage.home(), stage.home().join(".config"), stage.home().join("work")];
    for place in places
        .iter()
        .map(std::path::PathBuf::as_path)
        .chain(["/tmp", "/var/tmp", "/dev/shm"].map(std::path::Path::new))
    {
        let control = place.join("coffer-e2e-outside");
        assert!(control.exists(), "{}", control.display());
        std::fs::remove_file(control).unwrap();
        assert!(!place.join("coffer-e2e-inside").exists(), "{}", place.display());
    }
    for name in ["mine-outside", "mine-inside"] {
        let meta = stage.project().join(name).metadata().unwrap();
        assert_eq!(meta.uid(), stage.project().metadata().unwrap().uid(), "{name}");
    }
    let ran = stage.inside(
        &[],
        "for place in / /usr /etc /opt /bin /sys; do touch $place/x 2>/dev/null && echo $place; done; true",
    );
    ran.prints("");
}

#[test]
fn nothing_else_can_be_written() {
    if sandboxes() {
        nothing_is_written_but_project_and_state(&Stage::new());
    }
}

#[test]
fn the_kernels_switches_are_out_of_reach_for_roots_agent() {
    if !(require::root() && sandboxes()) {
        return;
    }
    let stage = Stage::new();
    for switch in
        ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic", "/proc/sys/vm/overcommit_memory"]
    {
        // Opened for writing and closed: nothing is changed.
        apart(&stage, &format!(": >> {switch}"));
        shared(&stage, &format!("cat {switch}"));
        let ran = stage.inside(&["--as-root-inside"], &format!(": >> {switch}"));
        assert_ne!(ran.code, Some(0), "{ran}");
    }
    apart(&stage, "test -w /proc/sys/kernel/core_pattern");
    apart(&stage, "test -r /etc/shadow");
    for deed in ["mount -t tmpfs none /tmp", "chroot / true", "mknod /tmp/x c 1 3", "unshare --net true"] {
        let ran = stage.inside(&["--as-root-inside"], deed);
        assert!(
            ran.code != Some(0) && ran.stderr.contains("denied") || ran.stderr.contains("permitted"),
            "{ran}"
        );
    }
}

#[test]
fn there_are_no_capabilities_and_none_can_be_had() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    for flags in [&[][..], &["--as-root-inside"]] {
        let ran = stage.inside(flags, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
        ran.ends_with(0);
        for line in ran.text().lines() {
            let wanted = if line.starts_with("Cap") { "0000000000000000" } else { "1" };
            assert_eq!(line.split('\t').nth(1), Some(wanted), "{ran}");
        }
        assert_eq!(ran.text().lines().count(), 6, "{ran}");
    }
    if require::root() {
        let control = on_host(&stage, "grep CapEff /proc/self/status");
        assert!(!control.text().contains("0000000000000000"), "{control}");
        apart(&stage, "mount --bind / /mnt && umount /mnt");
    }
}

#[test]
fn a_nested_namespace_opens_nothing() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let nested = |deed: &str| stage.inside(&["--allow-nesting"], &format!("unshare -Urm sh -c '{deed}'"));
    // By default none can be made.
    apart(&stage, "unshare -Urm true");
    // With a person's word it can; its root has rights over what is its own.
    nested("mount -t tmpfs none /tmp && touch /tmp/mine").ends_with(0);
    for deed in [
        "mount -o remount,bind,rw /proc/sys",
        "mount -o remount,bind,rw /usr",
        "umount /proc/sys",
        "umount -l /usr",
        "mount -t proc proc /tmp",
        "mount --bind / /var/tmp",
        ": >> /proc/sys/kernel/core_pattern",
    ] {
        let ran = nested(deed);
        assert_ne!(ran.code, Some(0), "{deed}: {ran}");
        assert!(!ran.stderr.is_empty(), "{deed}: {ran}");
    }
}

#[test]
fn init_is_closed_to_the_agent() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    for file in ["environ", "maps", "mem", "fd/0", "cwd", "root"] {
        let probe = |pid: &str| {
            format!(
                "test -r /proc/{pid}/{file} && ls /proc/{pid}/{file}/ >/dev/null 2>&1 || head -c1 /proc/{pid}/{file} >/dev/null"
            )
        };
        let ran = stage.inside(&[], &probe("1"));
        assert_ne!(ran.code, Some(0), "{file}: {ran}");
    }
    // The same reads of a process of its own succeed.
    stage.inside(&[], "head -c1 /proc/self/environ >/dev/null && head -c1 /proc/self/maps >/dev/null && ls /proc/self/cwd/ > /dev/null").ends_with(0);
    let ran = stage.inside(&[], "kill -KILL 1; sleep 0; echo alive");
    assert_eq!(ran.text(), "alive\n", "{ran}");
}

pub(crate) fn processes_of_the_host_are_invisible(stage: &Stage) {
    let mark = format!("waits-{}", stage.scratch.root().file_name().unwrap().display());
    let mut waiting = Command::new("sh")
        .args(["-c", "echo up; read line", &mark])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(waiting.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
    let seen = format!("tr '\\0' ' ' < /proc/{}/cmdline | grep -q {mark}", waiting.id());
    let control = run(Command::new("sh").args(["-c", &seen]));
    let inside = stage.inside(&[], &seen);
    let all = stage.inside(&[], "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; ls -d /proc/[0-9]* | wc -l");
    drop(waiting.stdin.take());
    waiting.wait().unwrap();
    control.ends_with(0);
    assert_ne!(inside.code, Some(0));
    assert!(!all.text().contains(&mark), "{all}");
    assert!(all.text().trim().rsplit('\n').next().unwrap().trim().parse::<u32>().unwrap() < 10, "{all}");
    apart(stage, &format!("test -e /proc/{}", std::process::id()));
}

#[test]
fn host_processes_are_invisible() {
    if sandboxes() {
        processes_of_the_host_are_invisible(&Stage::new());
    }
}

#[test]
fn network_none_reaches_nothing_and_full_the_loopback() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream)
        }
    });
    let probe = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
    let connect = |flags: &[&str]| run(stage.run(flags).args(["--", "bash", "-c", &probe]));
    run(stage.command("bash").args(["-c", &probe])).ends_with(0);
    connect(&["--network", "full"]).ends_with(0);
    let ran = connect(&["--network", "none"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("refused") || ran.stderr.contains("unreachable"), "{ran}");
    let links = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '";
    stage.inside(&["--network", "none"], links).prints("lo\n");
}

#[test]
fn abstract_sockets_are_in_reach_of_no_tier() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    if !sandboxes() || require::program("python3").is_none() {
        return;
    }
    let stage = Stage::new();
    let name = format!("coffer-e2e-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let probe = format!("import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}')");
    run(stage.command("/usr/bin/python3").args(["-c", &probe])).ends_with(0);
    let connect =
        |tier: &str| run(stage.run(["--network", tier, "--", "/usr/bin/python3", "-c", &probe])).code;
    assert_eq!(connect("none"), Some(1));
    // In the host's network Landlock alone closes them.
    let plan = run(stage.coffer(["plan", "--json", "--network", "full", "--", "true"])).json();
    let is_closed = plan["hardening"]["landlock"]["scopes"][0] == "abstract_sockets";
    assert_eq!(connect("full"), Some(i32::from(is_closed)));
}

#[test]
fn inherited_descriptors_stay_outside() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let secret = stage.scratch.write_home("secret", "CANARY").unwrap();
    let open =
        |command: &str| format!("exec 7<'{}' 9<'{}'; {command}", secret.display(), stage.home().display());
    let coffer = format!("'{}' run --audit never --", stage.program().display());
    on_host(&stage, &open("cat <&7")).prints("CANARY");
    let ran = on_host(&stage, &open(&format!("{coffer} sh -c 'cat <&7; ls /proc/self/fd/9/'")));
    assert_eq!(ran.text(), "", "{ran}");
    let ran = on_host(&stage, &open(&format!("{coffer} sh -c 'ls /proc/$$/fd'")));
    let numbers: Vec<&str> = std::str::from_utf8(&ran.stdout).unwrap().lines().collect();
    assert_eq!(numbers, ["0", "1", "2"], "{ran}");
}

#[test]
fn what_names_the_machine_and_its_users_is_not_there() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    for path in [
        "/etc/shadow",
        "/etc/ssh",
        "/root",
        "/home",
        "/boot",
        "/srv",
        "/var/log",
        "/var/lib",
        "/etc/hostname.orig",
    ] {
        if std::path::Path::new(path).exists() {
            apart(&stage, &format!("test -e {path}"));
        }
    }
    stage.inside(&[], "test ! -e /etc/machine-id && test ! -e /var/lib/dbus/machine-id").ends_with(0);
    stage.inside(&[], "hostname").prints("coffer\n");
    let users = stage.inside(&[], "cut -d: -f1 /etc/passwd");
    assert!(users.text().lines().count() <= 3, "{users}");
    stage.inside(&[], "test ! -S /run/dbus/system_bus_socket; ls -A /run").prints("coffer\n");
}

#[test]
fn a_shared_memory_segment_is_not_shared() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    if require::program("ipcmk").is_none() {
        return;
    }
    let made = on_host(&stage, "ipcmk -M 4096");
    made.ends_with(0);
    let text = made.text();
    let id = text.trim().rsplit(' ').next().unwrap();
    let probe = format!("grep -qw {id} /proc/sysvipc/shm");
    let (control, inside) = (on_host(&stage, &probe), stage.inside(&[], &probe));
    on_host(&stage, &format!("ipcrm -m {id}")).ends_with(0);
    control.ends_with(0);
    assert_ne!(inside.code, Some(0), "{inside}");
}
