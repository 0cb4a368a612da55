//! The filter of keys in front of a container.

use coffer_testkit::engine::{Engine, Image, Kind};

use super::SshStage;
use crate::support::run;

/// Libraries of `ssh-add` that a small Debian lacks.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3";

#[test]
fn only_the_granted_key_is_in_a_container() {
    for kind in [Kind::PodmanOfRoot, Kind::Docker] {
        let Some(engine) = Engine::new(kind).unwrap() else { continue };
        let (Some(image), Some(keys)) = (engine.image(Image::Debian).unwrap(), SshStage::new()) else {
            continue;
        };
        let outside = run(keys.outside("ssh-add").arg("-L")).text();
        let granted: String = outside.lines().filter(|line| line.ends_with(" granted")).collect();
        let flags = [
            "--backend",
            engine.backend(),
            "--image",
            image,
            "--network",
            "none",
            "--mount",
            "/usr/bin/ssh-add",
        ];
        let flags = [&flags[..], &["--mount", LIBRARY, "--ssh-agent=granted"]].concat();
        let mut command = keys.run(&flags, "ssh-add -L; ssh-add -D 2>&1");
        let ran = run(command.env("PATH", engine.path()).envs(engine.env().iter().cloned()));
        let (listed, emptied) = (ran.text(), run(keys.outside("ssh-add").arg("-L")).text());
        assert!(
            listed.starts_with(&format!("{granted}\n")) && listed.contains("Failed to remove"),
            "{kind:?}: {ran}"
        );
        assert_eq!(emptied, outside, "{kind:?}: nothing is taken out of the agent");
    }
}
