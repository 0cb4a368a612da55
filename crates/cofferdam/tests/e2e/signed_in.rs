//! The genuine CLI, signed in, in the sandbox, against the practice API; nothing else in reach.
//!
//! All of it runs in a network namespace that has nothing but loopback.

use std::path::{Path, PathBuf};

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{Answer, LoginSpec, netns, require};
use serde_json::{Value, json};

use crate::support::practice::{HOSTS, LOGIN, Practice};
use crate::support::screen::Person;
use crate::support::tree::{files_with, tree};
use crate::support::{Stage, run, sandboxes};

/// Runs a scenario with a pinned CLI inside a namespace; `test` is the calling test's full name.
fn with(test: &str, claude: Option<PathBuf>, scenario: impl Fn(&Practice)) {
    let Some(claude) = claude else { return };
    if sandboxes() && netns::inside(test, &HOSTS) {
        scenario(&Practice::new(Stage::new(), &claude));
    }
}

macro_rules! with_both {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn genuine_native() {
                let test = concat!("signed_in::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::scenarios::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("signed_in::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::scenarios::$name);
            }
        })+
    };
}

with_both!(
    an_answer_with_nothing_but_the_access_token,
    a_key_and_a_login_both_cross,
    without_the_login,
    signed_out_it_runs_and_says_so,
    a_tool_works_in_the_project,
    unattended_by_the_host_users_word,
    root_inside_unattended,
    an_expired_login_is_not_spent,
    the_first_start_meets_no_wizard,
);

mod scenarios;
mod shared;

/// What must not differ afterwards: everything of the home but Cofferdam's own folders.
fn home_of(practice: &Practice) -> crate::support::tree::Tree {
    let stage = &practice.stage;
    tree(&stage.home(), &[stage.data(), stage.home().join(".cache/cofferdam")])
}

/// All transcripts of the state of this project.
fn transcripts(practice: &Practice) -> Vec<PathBuf> {
    let states = practice.stage.data().join("state/claude/projects");
    files_with(&states, "practice answer").into_iter().filter(|path| is_transcript(path)).collect()
}

fn is_transcript(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "jsonl")
        && path.parent().unwrap().parent().unwrap().ends_with("projects")
}
