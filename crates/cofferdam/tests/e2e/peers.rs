//! The attacks on other sandboxes, for docs/compare.md: what holds nothing shows that the probe in another sandbox's hands
//! is the same as ours, and what does not start is told of.

use coffer_testkit::attack::world;
use coffer_testkit::require;
use cofferdam::comparison::{Compared, Comparison, Outcome, Peer, Verdict};

use crate::support::{Stage, run, sandboxes};

fn peer(name: &str, program: &str, words: &[&str]) -> Peer {
    Peer {
        name: name.to_owned(),
        program: program.into(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
        search: None,
        files: [("${home}/.peer/settings".to_owned(), "${project}".to_owned())].into(),
        own_processes: false,
    }
}

fn compared(peers: Vec<Peer>) -> Compared {
    let stage = Stage::new();
    let comparison = Comparison { user: None, homes: "/srv".into(), peers };
    let file = stage.project_file("compared.json", &serde_json::to_string(&comparison).unwrap());
    let words = ["doctor", "--attack", "--peers"].map(std::ffi::OsStr::new);
    let ran = run(stage.coffer(words.into_iter().chain([file.as_os_str()])));
    ran.ends_with(0);
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn verdict(outcome: &Outcome, name: &str) -> Verdict {
    outcome.lines[name].verdict
}

#[test]
fn what_holds_nothing_lets_all_in_and_what_does_not_start_is_told_of() {
    if !(sandboxes() && require::capability("attack-world", world::available())) {
        return;
    }
    // It starts only where the project stands in its settings.
    let script = "read project < \"$HOME/.peer/settings\"; cd \"$project\" && exec \"$@\"";
    let open = peer("open", "/bin/sh", &["-c", script, "sh", "${agent}"]);
    let compared = compared(vec![open, peer("broken", "/bin/sh", &["-c", "echo no such luck >&2; exit 3"])]);
    let [open, broken] = compared.peers.as_slice() else { panic!("{:?}", compared.peers) };
    assert!(open.failed.is_none(), "{:?}", open.failed);
    let held: Vec<&str> = compared
        .attacks
        .iter()
        .filter(|row| row.proven && !row.on_own_parts)
        // What uses up the machine is not tried where no limit is known to hold.
        .filter(|row| !matches!(verdict(open, &row.name), Verdict::Allowed | Verdict::Untried))
        .map(|row| row.name.as_str())
        .collect();
    assert!(held.is_empty(), "nobody held these: {held:?}");
    let failed = broken.failed.as_deref().unwrap_or_default();
    assert!(failed.contains("no such luck") && broken.lines.is_empty(), "{broken:?}");
    // And ours, on the same stage, holds what is told apart by where the home lies.
    let ours = compared.attacks.iter().find(|row| row.name == "read-ssh-key").unwrap();
    assert!(ours.proven && ours.coffer == Verdict::Blocked, "{ours:?}");
}
