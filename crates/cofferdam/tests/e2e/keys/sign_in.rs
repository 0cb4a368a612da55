//! A sign-in is no run: what the user's configuration grants to runs is not in its sandbox.

use super::{SshStage, program};
use crate::support::{PATH, run, sandboxes};

/// Says what it sees of keys, and signs in to nothing.
const AGENT: &str = "#!/bin/sh\n\
    [ \"$1\" != --version ] || { echo '2.1.330 (Claude Code)'; exit 0; }\n\
    echo \"socket: ${SSH_AUTH_SOCK-none}\"; ssh-add -l 2>&1; find /run /tmp -type s; true\n";

#[test]
fn a_sign_in_gets_no_key_that_the_config_grants() {
    if !sandboxes() {
        return;
    }
    let Some(keys) = SshStage::new() else { return };
    keys.stage.config("ssh_agent = true\n");
    let agent = keys.stage.home().join("bin/claude");
    program(&agent, AGENT);
    let path = format!("{}:{PATH}", agent.parent().unwrap().display());
    // The control: a run gets them by the same configuration.
    let ran = run(keys.run(&["--auth", "none"], "ssh-add -l").env("PATH", &path));
    assert!(ran.ends_with(0).text().contains(" granted "), "{ran}");
    let mut command = keys.outside(keys.stage.program().to_str().unwrap());
    let ran = run(command.args(["login", "--account", "work"]).env("PATH", &path));
    assert!(ran.stderr.contains("error[no-sign-in]: "), "{ran}");
    let said = ran.text();
    assert!(said.starts_with("socket: none\n"), "{ran}");
    assert!(said.contains("Could not open a connection") && !said.contains("granted"), "{ran}");
    assert!(!ran.stderr.contains("ssh"), "{ran}");
    assert!(keys.ledger().iter().all(|(what, ..)| what != "sign"), "{:?}", keys.ledger());
}
