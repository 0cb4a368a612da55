//! Landlock: everyday work goes on behind it, and alone it holds what the mounts were to hold. For that, mounts are
//! broken on purpose: in the printed line of a run, before it is pasted. Without Landlock's words in the same line the
//! agent gets what it should not; that is the control.

use std::path::Path;

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// Whether the kernel has Landlock; else the test skips.
fn landlocked() -> bool {
    let stage = Stage::new();
    let plan = run(stage.coffer(["plan", "--json", "--", "true"])).json();
    let has = plan["hardening"]["landlock"]["files"] == true;
    if !has {
        require::skip("landlock", "the kernel has none");
    }
    has && sandboxes()
}

/// The words of a launch, one a line: `coffer exec-launch` takes them as they are.
fn words(stage: &Stage, flags: &[&str], script: &str) -> Vec<String> {
    let printed =
        run(stage.coffer(["run", "--dry-run=command"]).args(flags).args(["--", "sh", "-c", script])).text();
    let split = format!("for word in {}; do printf '%s\\0' \"$word\"; done", printed.trim());
    let all = run(stage.command("sh").args(["-c", &split])).text();
    let words: Vec<String> = all.split('\0').map(str::to_owned).collect();
    words[..words.len() - 1].to_vec()
}

/// Runs such words.
fn launch(stage: &Stage, words: &[String]) -> Ran {
    run(stage.command(&words[0]).args(&words[1..]))
}

/// The words without Landlock's.
fn without_landlock(words: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut skip = false;
    for word in words {
        let is_option = word.starts_with("--landlock");
        if !is_option && !skip {
            out.push(word.clone());
        }
        skip = is_option;
    }
    assert!(out.len() < words.len());
    out
}

/// One more operation of bubblewrap, after all that the plan mounts.
fn with_mount(words: &[String], operation: [&str; 3]) -> Vec<String> {
    let at = words.windows(2).position(|two| two == ["--remount-ro", "/"]).unwrap();
    let mut out = words.to_vec();
    out.splice(at..at, operation.map(str::to_owned));
    out
}

/// Refused with Landlock and done without, by the same line.
#[track_caller]
fn held(stage: &Stage, broken: &[String]) {
    let control = launch(stage, &without_landlock(broken));
    assert_eq!(control.code, Some(0), "no positive control: {control}");
    let ran = launch(stage, broken);
    assert!(ran.code.is_some_and(|code| code != 0 && code != 125), "{ran}");
    assert!(ran.stderr.contains("denied"), "{ran}");
}

fn folder(stage: &Stage, name: &str) -> String {
    let folder = stage.scratch.root().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "CANARY").unwrap();
    open_to_all(&folder);
    folder.display().to_string()
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(folder.join("file"), std::fs::Permissions::from_mode(0o666)).unwrap();
}

#[test]
fn a_folder_that_nobody_granted_cannot_be_read_or_written_wherever_it_is_mounted() {
    if !landlocked() {
        return;
    }
    let stage = Stage::new();
    let secret = folder(&stage, "secret");
    for place in ["/srv/broken", "/broken"] {
        for deed in [
            "cat PLACE/file",
            "echo x >> PLACE/file",
            "echo x > PLACE/new",
            "rm PLACE/file",
            "ln -s x PLACE/l",
        ] {
            std::fs::write(Path::new(&secret).join("file"), "CANARY").unwrap();
            open_to_all(Path::new(&secret));
            for made in ["new", "l"] {
                let _ = std::fs::remove_file(Path::new(&secret).join(made));
            }
            let script = deed.replace("PLACE", place);
            let clean = |stage: &Stage| {
                for made in ["new", "l"] {
                    let _ = std::fs::remove_file(Path::new(&secret).join(made));
                }
                std::fs::write(Path::new(&secret).join("file"), "CANARY").unwrap();
                open_to_all(Path::new(&secret));
                words(stage, &[], &script)
            };
            let broken = with_mount(&clean(&stage), ["--bind", &secret, place]);
            let control = launch(&stage, &without_landlock(&broken));
            assert_eq!(control.code, Some(0), "no positive control for `{script}`: {control}");
            let broken = with_mount(&clean(&stage), ["--bind", &secret, place]);
            let ran = launch(&stage, &broken);
            assert!(ran.code.is_some_and(|code| code != 0 && code != 125), "`{script}`: {ran}");
            assert!(ran.stderr.contains("denied") && !ran.text().contains("CANARY"), "`{script}`: {ran}");
        }
    }
}

#[test]
fn what_is_granted_for_reading_stays_so_when_its_mount_can_be_written() {
    if !landlocked() {
        return;
    }
    let stage = Stage::new();
    let data = folder(&stage, "data");
    let mount = format!("{data}:/data");
    let whole = words(&stage, &["--mount", &mount], "cat /data/file && echo x >> /data/file");
    // The mount is made writable, and init does not look at it again.
    let at =
        whole.windows(3).position(|three| three[0].starts_with("--ro-bind") && three[2] == "/data").unwrap();
    let mut broken = whole.clone();
    broken[at] = whole[at].replace("--ro-bind", "--bind");
    let is_demand = |two: &[String]| two[0] == "--verify-ro" && two[1].ends_with(":/data");
    let demand = broken.windows(2).position(is_demand).unwrap();
    broken.drain(demand..demand + 2);
    held(&stage, &broken);
    let ran = launch(&stage, &broken);
    // The one `x` is the control's.
    assert_eq!(ran.text(), "CANARYx\n", "it can be read, and was not written: {ran}");
}

#[test]
fn devices_of_the_host_are_closed_wherever_they_are_mounted() {
    if !landlocked() {
        return;
    }
    let stage = Stage::new();
    // Harmless ones: another name for a device that is there anyway.
    let whole = words(&stage, &[], "head -c1 /srv/zero > /dev/null");
    held(&stage, &with_mount(&whole, ["--dev-bind", "/dev/zero", "/srv/zero"]));
}

#[test]
fn signals_do_not_leave_the_sandbox() {
    if !landlocked() {
        return;
    }
    let stage = Stage::new();
    // The one process besides the agent's own is init.
    let script = "sleep 30 & kill -0 $! && kill $! && kill -0 1";
    let whole = words(&stage, &[], script);
    launch(&stage, &without_landlock(&whole)).ends_with(0);
    let ran = launch(&stage, &whole);
    assert!(ran.code == Some(1) && ran.stderr.contains("not permitted"), "{ran}");
}

/// What agents, build tools and shells do all day.
const EVERYDAY: &[(&str, &str)] = &[
    (
        "the devices of a terminal",
        "test -c /dev/null && : > /dev/null && head -c1 /dev/urandom | wc -c | grep -qx 1",
    ),
    (
        "a pseudo terminal",
        "/usr/bin/python3 -c 'import os, pty; m, s = pty.openpty(); os.write(s, b\"x\"); os.ttyname(s)'",
    ),
    (
        "proc",
        "echo 0 > /proc/self/oom_score_adj; cat /proc/self/status /proc/meminfo /proc/self/mounts > /dev/null && ls /proc/self/fd/ > /dev/null",
    ),
    // By pipes made inside: the test's own belong to another user, where an ordinary one is tried.
    (
        "descriptors by name",
        "(echo x > /dev/stdout; echo y > /dev/stderr) 2>&1 | cat /dev/stdin | grep -c . | grep -qx 2",
    ),
    (
        "shared memory",
        "echo x > /dev/shm/x && cat /dev/shm/x && /usr/bin/python3 -c 'from multiprocessing import Lock; Lock()'",
    ),
    (
        "temporary files",
        "f=$(mktemp) && echo x > $f && rm $f && d=$(mktemp -d) && rmdir $d && echo x > /var/tmp/x",
    ),
    (
        "the home",
        "mkdir -p ~/.cache/a ~/.config && echo x > ~/.cache/a/b && mv ~/.cache/a/b ~/.config/b && cat ~/.config/b",
    ),
    (
        "renames across folders",
        "mkdir -p a b && echo x > a/f && mv a/f b/f && mv b/f f && ln f g && ln g a/h && mv a c && rm -r b c f g",
    ),
    (
        "truncation",
        "echo long > t && : > t && /usr/bin/python3 -c 'import os; os.truncate(\"t\", 5); os.ftruncate(os.open(\"t\", 2), 1)' && rm t",
    ),
    (
        "links, pipes and sockets",
        "ln -s x l && mkfifo p && /usr/bin/python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"s\"); s.listen(); socket.socket(socket.AF_UNIX).connect(\"s\")' && rm l p s",
    ),
    (
        "programs of its own",
        "printf '#!/bin/sh\\necho ran\\n' > run && chmod +x run && ./run && cp /bin/true /tmp/true && /tmp/true && rm run",
    ),
    (
        "abstract sockets of its own",
        "/usr/bin/python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"\\0mine\"); s.listen(); socket.socket(socket.AF_UNIX).connect(\"\\0mine\")'",
    ),
    ("names of folders", "ls / /usr /run > /dev/null"),
    ("signals to its own", "sleep 30 & kill $!"),
    (
        "a program in memory",
        "/usr/bin/python3 -c 'import os; f = os.memfd_create(\"x\"); os.write(f, open(\"/bin/true\", \"rb\").read()); os.execve(f\"/proc/self/fd/{f}\", [\"x\"], {})'",
    ),
    ("locks", "flock lock true && rm lock"),
];

pub(crate) fn everyday_work_goes_on(stage: &Stage) {
    for flags in
        [&[][..], &["--state", "copy"], &["--state", "fresh"], &["--network", "full"], &["--allow-nesting"]]
    {
        let all: Vec<String> =
            EVERYDAY.iter().map(|(name, script)| format!("({script}) || echo 'FAILED: {name}'")).collect();
        let ran = stage.inside(flags, &all.join("\n"));
        assert!(!ran.text().contains("FAILED"), "{flags:?}: {ran}");
        ran.ends_with(0);
    }
    // The agent's state and what was mounted for writing.
    let data = folder(stage, "writable");
    let mount = format!("{data}:/data:rw");
    let script = "mkdir ~/.claude/x ~/.claude/y && echo x > ~/.claude/x/f && mv ~/.claude/x/f ~/.claude/y/f && \
                  rm -r ~/.claude/x ~/.claude/y && mkdir /data/d && echo x > /data/d/f && mv /data/d/f /data/g && \
                  rmdir /data/d && cat /data/g && : > /data/g";
    for state in ["project", "copy"] {
        stage.inside(&["--state", state, "--mount", &mount], script).prints("x\n");
    }
}

#[test]
fn everyday_work_goes_on_behind_it() {
    if landlocked() && require::program("python3").is_some() {
        everyday_work_goes_on(&Stage::new());
    }
}

#[test]
fn git_works_in_a_linked_work_tree() {
    if !landlocked() || require::program("git").is_none() {
        return;
    }
    let stage = Stage::new();
    let main = stage.home().join("main");
    let script = format!(
        "git init -q -b main '{main}' && cd '{main}' && git config user.name A && git config user.email a@example.org && \
         git commit -q --allow-empty -m one && rmdir '{tree}' && git worktree add -q '{tree}'",
        main = main.display(),
        tree = stage.project().display()
    );
    run(stage.command("sh").args(["-c", &script]).current_dir(stage.home())).ends_with(0);
    let deed = "echo x > f && git add f && git commit -q -m two && git mv f g && git commit -q -m three && git gc -q && git log --oneline | wc -l";
    stage.inside(&[], deed).prints("3\n");
}

#[test]
fn a_plan_of_a_newer_kernel_does_not_run_with_less() {
    if !landlocked() {
        return;
    }
    let stage = Stage::new();
    let mut whole = words(&stage, &[], "echo ran");
    let at = whole.iter().position(|word| word == "--landlock").unwrap();
    whole[at + 1] = "99".to_owned();
    let ran = launch(&stage, &whole);
    assert!(ran.code == Some(125) && ran.text().is_empty(), "{ran}");
}
