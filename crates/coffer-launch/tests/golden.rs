//! The golden folders of coffer-plan, lowered: `argv.txt` holds the launch, one word a line.
//! `UPDATE_EXPECT=1` writes what differs; read the difference before committing it.

#[path = "../../coffer-plan/tests/common/mod.rs"]
mod common;

use coffer_launch::backend::lower;
use coffer_launch::launch::Launch;
use expect_test::expect_file;

#[test]
fn every_folder_gives_its_argv() {
    for case in common::cases() {
        let made = case.make().unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let launch = lower(&made.plan, &case.facts).unwrap();
        let lines: String = launch.words().iter().map(|word| word.clone() + "\n").collect();
        expect_file![case.folder.join("argv.txt")].assert_eq(&lines);
    }
}

#[test]
fn every_argv_reads_back_as_the_launch_it_was() {
    for case in common::cases() {
        let launch = lower(&case.make().unwrap().plan, &case.facts).unwrap();
        assert_eq!(Launch::parse(&launch.words()[1..]).unwrap(), launch, "{}", case.name());
        let line = shlex::split(&launch.line("/usr/local/bin/coffer")).unwrap();
        assert_eq!(line[1..], launch.words(), "{}", case.name());
    }
}

/// Secrets and the like stand in single quotes, so that no shell touches them.
#[test]
fn every_reference_in_a_printed_line_is_single_quoted() {
    for case in common::cases() {
        let line = lower(&case.make().unwrap().plan, &case.facts).unwrap().line("coffer");
        for (at, _) in line.match_indices(" @") {
            let word: String = line[at..].chars().take(24).collect();
            assert_eq!(line[..at].matches('\'').count() % 2, 1, "{}: {word}", case.name());
        }
    }
}
