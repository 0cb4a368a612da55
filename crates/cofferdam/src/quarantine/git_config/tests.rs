use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::{Change, changes};

use super::apply;
use crate::quarantine::place::folder_of;

const BEFORE: &str = "[core]\n\tbare = false\n\t# mine\n[branch \"gone\"]\n\tremote = .\n";
const AFTER: &str = "[core]\n\tbare = false\n\t# mine\n[branch \"new\"]\n\tremote = .\n";

struct Ground {
    _scratch: tempfile::TempDir,
    config: Utf8PathBuf,
}

fn ground() -> Ground {
    let scratch = tempfile::tempdir().unwrap();
    let config = Utf8Path::from_path(scratch.path()).unwrap().join("config");
    std::fs::write(&config, BEFORE).unwrap();
    Ground { _scratch: scratch, config }
}

fn wanted() -> Vec<Change> {
    changes(BEFORE, AFTER, &built_in::deferred().unwrap().git_keys).unwrap()
}

fn applied(ground: &Ground) -> Result<(), crate::error::Error> {
    let folder = folder_of(&ground.config).unwrap();
    let mut facts = coffer_host::base().unwrap();
    facts.folders.data = ground.config.with_file_name("data");
    apply(&wanted(), folder.as_fd(), &ground.config, &facts)
}

/// What is mounted over the file for other runs is mounted over this very one.
#[test]
fn the_file_stays_the_same_one() {
    if coffer_testkit::require::program("git").is_none() {
        return;
    }
    let ground = ground();
    let before = ground.config.metadata().unwrap().ino();
    applied(&ground).unwrap();
    let text = std::fs::read_to_string(&ground.config).unwrap();
    assert!(
        text.contains("# mine") && text.contains("[branch \"new\"]") && text.matches("remote").count() == 1,
        "{text}"
    );
    assert_eq!(ground.config.metadata().unwrap().ino(), before);
    assert!(!ground.config.with_file_name("config.lock").exists());
}

#[test]
fn somebody_elses_lock_is_left_and_nothing_is_changed() {
    if coffer_testkit::require::program("git").is_none() {
        return;
    }
    let ground = ground();
    let lock = ground.config.with_file_name("config.lock");
    std::fs::write(&lock, "").unwrap();
    applied(&ground).unwrap_err();
    assert_eq!(std::fs::read_to_string(&ground.config).unwrap(), BEFORE);
    assert!(lock.exists());
}
