//! A person is asked each time.

use super::{SshStage, program};
use crate::support::{run, sandboxes};

const SIGN: &str = "echo text > text; rm -f text.sig; ssh-keygen -Y sign -n file -f granted.pub text";

#[test]
fn a_person_is_asked_and_their_word_counts() {
    if !sandboxes() {
        return;
    }
    let Some(keys) = SshStage::new() else { return };
    let asker = keys.key("asker");
    let asked = keys.key("asked");
    let flags = ["--ssh-agent=granted", "--confirm-keys"];
    for (answer, code) in [(0, 0), (1, 255)] {
        program(
            &asker,
            &format!("#!/bin/sh\necho \"$1 $SSH_ASKPASS_PROMPT\" > {}\nexit {answer}\n", asked.display()),
        );
        let ran = run(keys.run(&flags, SIGN).env("SSH_ASKPASS", &asker));
        ran.ends_with(code);
        let question = std::fs::read_to_string(&asked).unwrap();
        let project = keys.stage.project();
        for words in ["wants to sign with your ssh key", "granted", project.to_str().unwrap(), "confirm"] {
            assert!(question.contains(words), "{words}: {question}");
        }
    }
    // Listing asks nobody.
    std::fs::remove_file(&asked).unwrap();
    run(keys.run(&flags, "ssh-add -L").env("SSH_ASKPASS", &asker)).ends_with(0);
    assert!(!asked.exists());
    let ledger = keys.ledger();
    assert!(ledger.iter().any(|(what, _, verdict, _)| what == "sign" && verdict == "declined"), "{ledger:?}");
}

#[test]
fn where_nobody_can_be_asked_nothing_runs() {
    let Some(keys) = SshStage::new() else { return };
    let ran =
        run(keys.run(&["--ssh-agent", "--confirm-keys"], "true").env("SSH_ASKPASS", "/nowhere/askpass"));
    ran.refuses(125, "nobody-asks", "SSH_ASKPASS", "ssh-askpass");
    // A program that the agent could exchange is none.
    let inside = keys.stage.project().join("askpass");
    program(&inside, "#!/bin/sh\nexit 0\n");
    let ran = run(keys.run(&["--ssh-agent", "--confirm-keys"], "true").env("SSH_ASKPASS", &inside));
    ran.refuses(125, "nobody-asks", "SSH_ASKPASS", "ssh-askpass");
}
