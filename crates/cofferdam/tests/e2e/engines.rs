//! Container engines and buses of the host: by their paths, by what variables name, by who listens there.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// A socket that stands for an engine.
fn socket(stage: &Stage, name: &str) -> (UnixListener, PathBuf) {
    let path = stage.scratch.root().join(name);
    (UnixListener::bind(&path).unwrap(), path)
}

fn forward(stage: &Stage, path: &Path, flags: &[&str]) -> Command {
    let mut command = stage.run(flags);
    command.args([
        "--forward",
        &format!("unix:{}", path.display()),
        "--",
        "test",
        "-S",
        path.to_str().unwrap(),
    ]);
    command
}

#[track_caller]
fn is_refused(ran: &Ran) {
    ran.refuses(125, "container-engine", "outside of every sandbox", "--allow-container-engine");
}

#[test]
fn an_engine_takes_a_second_word() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let (_engine, path) = socket(&stage, "engine.sock");
    let host = format!("unix://{}", path.display());
    // The control: a socket of which nothing is known is shown.
    run(&mut forward(&stage, &path, &[])).ends_with(0);
    // By the name that a variable gives it, and by any other name for the same socket.
    is_refused(&run(forward(&stage, &path, &[]).env("DOCKER_HOST", &host)));
    let (link, hard) = (stage.scratch.root().join("link"), stage.scratch.root().join("hard"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    for other in [&link, &hard] {
        is_refused(&run(forward(&stage, other, &[]).env("DOCKER_HOST", &host)));
    }
    let mount = |flags: &[&str]| {
        let spec = format!("{}:/run/docker.sock", path.display());
        let mut command = stage.run(flags);
        command.args(["--mount", &spec, "--", "test", "-S", "/run/docker.sock"]).env("CONTAINER_HOST", &host);
        run(&mut command)
    };
    is_refused(&mount(&[]));
    // The user's config file cannot open it by `expose` alone.
    stage.config(&format!("expose = [\"{}\"]", path.display()));
    is_refused(&mount(&[]));
    mount(&["--allow-container-engine"]).ends_with(0);
    run(forward(&stage, &path, &["--allow-container-engine"]).env("DOCKER_HOST", &host)).ends_with(0);
    let mut plan = stage.coffer([
        "plan",
        "--allow-container-engine",
        "--forward",
        &format!("unix:{}", path.display()),
        "--",
        "true",
    ]);
    let audit = run(plan.env("DOCKER_HOST", &host)).text();
    assert!(audit.contains("NO WALL HOLDS") && audit.contains("on this machine"), "{audit}");
}

#[test]
fn a_bus_is_refused_and_opened_by_the_users_file_alone() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let (_bus, path) = socket(&stage, "bus");
    let address = format!("unix:path={},guid=0123", path.display());
    let asked = || run(forward(&stage, &path, &[]).env("DBUS_SESSION_BUS_ADDRESS", &address));
    asked().refuses(125, "host-socket", "starts programs outside of the sandbox", "expose");
    stage.config(&format!("expose = [\"{}\"]", path.display()));
    asked().ends_with(0);
}

#[test]
fn who_listens_is_known_whatever_the_path() {
    if !sandboxes() || require::program("ssh-agent").is_none() {
        return;
    }
    let stage = Stage::new();
    let path = stage.scratch.root().join("any-name");
    // No variable names it. It ends when its standard output does.
    let mut agent =
        stage.command("ssh-agent").arg("-D").arg("-a").arg(&path).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(agent.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
    let ran = run(&mut forward(&stage, &path, &[]));
    agent.kill().unwrap();
    agent.wait().unwrap();
    ran.refuses(125, "host-socket", "an agent for SSH keys", "--ssh-agent=KEY");
}
