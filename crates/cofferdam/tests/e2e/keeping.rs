//! Exactly one refresh, by the genuine client, whoever wants it and however many want it at once.

use std::path::PathBuf;

use coffer_testkit::{Fault, LoginSpec, Rule, netns, require};
use serde_json::json;

use crate::support::practice::{HOSTS, Practice};
use crate::support::{Ran, Stage, run, sandboxes};

/// The client whose version was measured to refresh is on the PATH in any case; `claude` runs in the sandbox.
fn with(test: &str, claude: Option<PathBuf>, scenario: impl Fn(&Practice)) {
    let (Some(claude), Some(native)) = (claude, require::claude_native()) else { return };
    if sandboxes() && netns::inside(test, &HOSTS) {
        let mut practice = Practice::with_token_server(Stage::new(), &claude);
        practice.also_on_the_path(&native);
        scenario(&practice);
    }
}

fn refresh(practice: &Practice, words: &[&str]) -> Ran {
    let mut command = practice.stage.coffer(["refresh", "--json"]);
    command.args(words);
    practice.equip(&mut command);
    run(command)
}

fn file(practice: &Practice, account: &str) -> String {
    std::fs::read_to_string(practice.stage.home().join(practice.login_of(account))).unwrap()
}

/// The login in the file is good at the server, and nothing is left of the refresh.
#[track_caller]
fn is_signed_in(practice: &Practice, account: &str) {
    let text = file(practice, account);
    let login: serde_json::Value = serde_json::from_str(&text).unwrap();
    let token = login["claudeAiOauth"]["refreshToken"].as_str().unwrap();
    assert!(practice.api.rotate(token).is_some(), "the refresh token is dead");
    let own = practice.stage.data().join("accounts").join(account);
    for left in ["journal.json", "client"] {
        assert!(!own.join(left).exists(), "{left}");
    }
}

#[test]
fn a_named_account_is_refreshed_once_by_the_genuine_native() {
    let test = "keeping::a_named_account_is_refreshed_once_by_the_genuine_native";
    with(test, require::claude_native(), |practice| {
        let login = practice.sign_in_account("dev", &LoginSpec { expires_in: 600, ..LoginSpec::default() });
        let ran = refresh(practice, &["--account", "dev"]);
        assert_eq!(ran.json()["outcome"], json!("ok"), "{ran}");
        assert_eq!(practice.token_requests().len(), 1);
        assert!(practice.messages().is_empty(), "no call that costs");
        assert!(!file(practice, "dev").contains(&login.refresh_token.clone().unwrap()));
        // Fresh now; and a person may want a newer one all the same.
        assert_eq!(refresh(practice, &["--account", "dev"]).json()["outcome"], json!("fresh"));
        assert_eq!(refresh(practice, &["--account", "dev", "--now"]).json()["outcome"], json!("ok"));
        assert_eq!(practice.token_requests().len(), 2);
        is_signed_in(practice, "dev");
        let store = practice.stage.home().join(practice.login_of("dev"));
        // The client's own side file may stay; its other files went with their folder.
        let left = std::fs::read_dir(store.parent().unwrap()).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let odd: Vec<String> =
            left.filter(|name| !name.starts_with(".credentials.json") && !name.ends_with(".owner")).collect();
        assert!(odd.is_empty(), "{odd:?}");
    });
}

#[test]
fn a_refusal_for_good_by_the_genuine_native_wipes_nothing() {
    let test = "keeping::a_refusal_for_good_by_the_genuine_native_wipes_nothing";
    with(test, require::claude_native(), |practice| {
        let login = practice.sign_in_account("dev", &LoginSpec::expired());
        practice.api.revoke(&login.access_token);
        let before = file(practice, "dev");
        let ran = refresh(practice, &["--account", "dev"]);
        ran.ends_with(3);
        assert!(ran.text().contains("permanent"), "{ran}");
        assert_eq!(file(practice, "dev"), before);
        refresh(practice, &["--account", "dev"]).ends_with(3);
        assert_eq!(practice.token_requests().len(), 1, "not tried again");
        practice.says_hi(&["--account", "dev"]).ends_with(125);
        ran.keeps_secret(&["FAKE"]);
    });
}

#[test]
fn a_server_that_fails_costs_nothing_with_the_genuine_native() {
    let test = "keeping::a_server_that_fails_costs_nothing_with_the_genuine_native";
    with(test, require::claude_native(), |practice| {
        practice.sign_in_account("dev", &LoginSpec::expired());
        let before = file(practice, "dev");
        practice.api.script(Rule::times("/v1/oauth/token", Fault::Status(503, "{}".to_owned()), 20));
        let ran = refresh(practice, &["--account", "dev"]);
        ran.ends_with(1);
        assert!(ran.text().contains("transient"), "{ran}");
        assert_eq!(file(practice, "dev"), before, "byte for byte, with its end");
        is_signed_in(practice, "dev");
    });
}

macro_rules! with_both {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn genuine_native() {
                let test = concat!("keeping::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("keeping::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::$name);
            }
        })+
    };
}

with_both!(a_run_has_its_login_renewed_before_it_starts, eight_runs_at_once_spend_one_token);

fn a_run_has_its_login_renewed_before_it_starts(practice: &Practice) {
    practice.sign_in(&LoginSpec::expired());
    practice.says_hi(&[]).prints("practice answer: hi\n");
    assert_eq!(practice.token_requests().len(), 1);
    practice.sign_in_account("dev", &LoginSpec::expired());
    practice.says_hi(&["--account", "dev"]).prints("practice answer: hi\n");
    assert_eq!(practice.token_requests().len(), 2);
    is_signed_in(practice, "host");
    is_signed_in(practice, "dev");
}

fn eight_runs_at_once_spend_one_token(practice: &Practice) {
    for account in ["host", "dev"] {
        let asked = practice.token_requests().len();
        match account {
            "host" => practice.sign_in(&LoginSpec::expired()),
            name => practice.sign_in_account(name, &LoginSpec::expired()),
        };
        let answers: Vec<Ran> = std::thread::scope(|scope| {
            let one = || practice.says_hi(&["--account", account]);
            let runs: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        for ran in &answers {
            ran.prints("practice answer: hi\n");
        }
        assert_eq!(practice.token_requests().len(), asked + 1, "{account}");
        is_signed_in(practice, account);
    }
}
