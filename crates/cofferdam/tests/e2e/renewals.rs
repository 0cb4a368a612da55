//! A live run gets each newer token of its login, with the genuine CLI and without; and what somebody signed in
//! inside is noticed, and waits for a person's word.

use std::path::PathBuf;

use coffer_testkit::{netns, require};

use crate::support::practice::{HOSTS, Practice};
use crate::support::{Stage, sandboxes};

pub(crate) mod due;
mod inside;
mod scenarios;
mod session;

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
                let test = concat!("renewals::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::scenarios::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("renewals::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::scenarios::$name);
            }
        })+
    };
}

with_both!(
    a_session_goes_on_when_somebody_else_refreshed,
    two_runs_in_one_project_go_on,
    a_run_that_outlives_its_login_ends,
    a_sign_in_made_inside_is_noticed,
);
