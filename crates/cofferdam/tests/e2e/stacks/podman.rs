//! The same images and doors with podman, of root and of an ordinary user, by its own command line and without a network.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use coffer_testkit::engine::Image;

use super::ground::{APT, NPM};
use crate::containers::{Place, with_each};
use crate::support::{Ran, run, run_with_input};

/// An image that can be built on without a network.
const BASE: &str = "localhost/base-of-stacks:1";

#[test]
fn images_are_built_and_doors_work_with_podman() {
    with_each(Image::Debian, |place| {
        if place.engine.backend() == "docker" {
            return;
        }
        base(place);
        let init = ["init", "compose", "--service", "one", "--out", "stack", "--base", BASE];
        run(place.stage.coffer(init)).ends_with(0);
        let images = place.stage.project().join("stack/images");
        for image in ["agent", "keeper"] {
            let file = images.join(format!("{image}.Containerfile"));
            let mut build = place.engine.command();
            build
                .args(["build", "--tag", &format!("localhost/stack-{image}"), "--file"])
                .arg(file)
                .arg(&images);
            run(&mut build).ends_with(0);
        }
        let ids = place.engine.user().map_or((1000, 1000), |user| (user.uid, user.gid));
        let tmpfs = format!("o=uid={},gid={},mode=0700", ids.0, ids.1);
        let door =
            ["volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", &tmpfs, "door"];
        podman(place, &door).ends_with(0);
        let keeper = [
            "--detach",
            "--name",
            "keeper",
            "--tmpfs",
            "/tmp:exec,mode=1777,size=256m",
            "--volume",
            "keeper:/var/lib/coffer",
            "--volume",
            "door:/run/coffer/one",
            "--env",
            "HOME=/var/lib/coffer",
            "--env",
            "COFFER_HOME=/var/lib/coffer/data",
            "--env",
            "COFFER_RUNTIME_DIR=/tmp/coffer",
            "localhost/stack-keeper",
            "keeper",
            "--service=one=main",
        ];
        hardened(place, &keeper).ends_with(0);
        let mut add = place.engine.command();
        add.args([
            "exec",
            "--interactive",
            "keeper",
            "coffer",
            "account",
            "add",
            "main",
            "--kind",
            "api-key",
        ]);
        run_with_input(&mut add, b"sk-ant-api03-FAKE-in-podman").ends_with(0);
        let script = "coffer enter --check && id -u && echo $ANTHROPIC_BASE_URL && cat ~/.claude/.claude.json && \
                      grep -c : /proc/net/dev && ! touch /run/coffer/x 2>/dev/null && touch ~/mine";
        let service = [
            "--rm",
            "--tmpfs",
            "/tmp:exec,mode=1777,size=1g",
            "--volume",
            "door:/run/coffer:ro",
            "--volume",
            "home:/home/agent",
            "--env",
            "HOME=/home/agent",
            "localhost/stack-agent",
            "sh",
            "-c",
            script,
        ];
        let uid = ids.0;
        hardened(place, &service)
            .prints(&format!("{uid}\nhttp://127.0.0.1:8377\n{{\"hasCompletedOnboarding\":true}}\n1\n"));
        // It ends as it is told, and well.
        podman(place, &["stop", "--time", "60", "keeper"]).ends_with(0);
        let code = podman(place, &["inspect", "--format", "{{.State.ExitCode}}", "keeper"]);
        code.prints("0\n");
    });
}

fn podman(place: &Place, words: &[&str]) -> Ran {
    run(place.engine.command().args(words))
}

/// A container as the generated file has it, without a network.
fn hardened(place: &Place, words: &[&str]) -> Ran {
    let walls = ["run", "--pull=never", "--network", "none", "--read-only", "--cap-drop", "ALL"];
    podman(place, &[&walls[..], &["--security-opt", "no-new-privileges"], words].concat())
}

fn base(place: &Place) {
    let folder = place.stage.scratch.root().join("base");
    std::fs::create_dir(&folder).unwrap();
    let file = format!("FROM {}\nCOPY apt-get npm /usr/local/bin/\n", Image::Debian.name());
    for (program, text) in [("apt-get", APT), ("npm", NPM), ("Containerfile", &file)] {
        std::fs::write(folder.join(program), text).unwrap();
        std::fs::set_permissions(folder.join(program), PermissionsExt::from_mode(0o755)).unwrap();
    }
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(place.stage.scratch.root())).ends_with(0);
    podman(place, &["build", "--tag", BASE, folder.to_str().unwrap()]).ends_with(0);
}
