//! `coffer leaktest`: clean where nothing is inside, and no leak that somebody plants stays unseen. It makes a private
//! network for itself.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use coffer_testkit::{FakeApi, LoginSpec, netns, require};
use serde_json::{Value, json};

mod containers;

use crate::support::practice::{LOGIN, Practice};
use crate::support::{Ran, Stage, run, sandboxes};

/// Everything that a test plants is made from it.
const SEED: &str = "0123456789abcdef0123456789abcdef";

fn possible() -> bool {
    sandboxes() && require::capability("netns", netns::available())
}

/// The canaries of the seed, as the command makes them: access token, refresh token, setup token, key, bearer token.
struct Planted {
    access: String,
    refresh: String,
    key: String,
}

impl Planted {
    fn new() -> Self {
        let seed = u128::from_str_radix(SEED, 16).unwrap().to_be_bytes();
        let api = FakeApi::builder().seed(seed).start().unwrap();
        let login = api.issue_login(&LoginSpec::default());
        let _ = api.issue_login(&LoginSpec::refreshless());
        Self { access: login.access_token, refresh: login.refresh_token.unwrap(), key: api.add_api_key() }
    }

    fn all(&self) -> [&str; 3] {
        [&self.access, &self.refresh, &self.key]
    }
}

/// `coffer leaktest --json` with these words.
fn leaktest(stage: &Stage, words: &[&str]) -> Command {
    stage.coffer([&["leaktest", "--json", "--seed", SEED], words].concat())
}

/// Its report; whatever was found, no canary is said.
#[track_caller]
fn report(ran: &Ran, code: i32) -> Value {
    ran.ends_with(code);
    let planted = Planted::new();
    ran.keeps_secret(&planted.all().map(|token| &token[token.len() - 24..]));
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let schema = include_str!("../../../../docs/reference/leaktest.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(report["well"], code == 0, "{report:#}");
    // Else it would prove nothing.
    for place in ["variable", "memory", "file", "connection"] {
        assert_eq!(report["control"][place], true, "{place}: {report:#}");
    }
    report
}

/// Whether something was found: which canary, from where, in which kind of place, in which form.
fn has(report: &Value, list: &str, what: &str, place: (&str, &str), form: &str) -> bool {
    let found = report[list].as_array().unwrap();
    found.iter().any(|one| {
        one["what"] == what
            && (one["seen_from"].as_str(), one["kind"].as_str()) == (Some(place.0), Some(place.1))
            && one["forms"].as_array().unwrap().contains(&json!(form))
    })
}

#[track_caller]
fn leaked(report: &Value, what: &str, place: (&str, &str), form: &str) {
    assert!(has(report, "leaks", what, place, form), "no {what} in {place:?}, {form}: {report:#}");
}

#[test]
fn a_run_with_nothing_of_the_login_is_clean_and_what_was_searched_is_told() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    for flags in [["--auth", "gateway", "--network", "agent"], ["--auth", "none", "--network", "none"]] {
        let words =
            [&flags[..], &["--kind", "subscription", "--", "sh", "-c", "cat >/dev/null; echo hi"]].concat();
        let report = report(&run(leaktest(&stage, &words)), 0);
        assert_eq!((&report["leaks"], &report["exposed"]), (&json!([]), &json!([])));
        assert_eq!((&report["auth"], &report["network"]), (&json!(flags[1]), &json!(flags[3])));
        for (side, counts) in [
            ("inside", &["processes", "variables", "files", "memory_regions", "bytes"][..]),
            ("outside", &["processes", "variables", "files", "memory_regions", "bytes"]),
            ("boundary", &["connections", "bytes"]),
        ] {
            for count in counts {
                assert!(report["searched"][side][count].as_u64() > Some(0), "{side} {count}: {report:#}");
            }
        }
        assert!(
            report["left_out"].as_array().unwrap().iter().any(|left| left["what"] == "/usr"),
            "{report:#}"
        );
    }
    // Nothing of it stays.
    let left = std::fs::read_dir(stage.scratch.runtime().join("cofferdam")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["leaktest.lock"]);
    let text = run(stage.coffer(["leaktest", "--auth", "gateway", "--network", "agent", "--", "true"]));
    assert!(text.ends_with(0).text().contains("Result: clean"), "{text}");
}

#[test]
fn a_lease_shows_the_access_token_and_only_that() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let words = ["--auth", "lease", "--network", "agent", "--kind", "subscription"];
    let command =
        ["--", "sh", "-c", "token=$(cat /run/coffer/lease/.credentials.json); sleep 3; : \"$token\""];
    let report = report(&run(leaktest(&stage, &[&words[..], &command].concat())), 0);
    for place in [("inside", "file"), ("outside", "file"), ("inside", "memory"), ("outside", "memory")] {
        assert!(has(&report, "exposed", "access token", place, "as it is"), "{place:?}: {report:#}");
    }
    let exposed = report["exposed"].as_array().unwrap();
    assert!(exposed.iter().all(|one| one["what"] == "access token"), "{report:#}");
}

/// Each leak is planted by the test, by what the user's own flags and project do.
#[test]
fn a_leak_that_is_planted_anywhere_is_found_and_named() {
    if !possible() {
        return;
    }
    let planted = Planted::new();
    let stage = Stage::new();
    let gateway = ["--auth", "gateway", "--network", "agent", "--kind", "subscription"];
    let test = |more: &[&str]| report(&run(leaktest(&stage, &[&gateway[..], more].concat())), 1);

    // Variables of the user's own.
    let half = planted.access[planted.access.len() - 28..].to_owned();
    let set = [format!("WHOLE={}", &planted.refresh[12..]), format!("PART={half}")];
    let found = test(&["--env", &set[0], "--env", &set[1], "--", "true"]);
    leaked(&found, "refresh token", ("inside", "variable"), "as it is");
    leaked(&found, "refresh token", ("outside", "variable"), "as it is");
    let part = found["leaks"].as_array().unwrap().iter().find(|one| one["name"] == "PART").unwrap();
    assert_eq!((&part["what"], &part["whole"]), (&json!("access token"), &json!(false)), "{part:#}");

    // Files: in base64 at each alignment and broken into lines, escaped in hexadecimal, as a file's name, as a link.
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    for shift in 0..3 {
        let file = encode(format!("{}{}", "x".repeat(shift), planted.access));
        stage.project_file(&format!("shift-{shift}"), &file);
        let found = test(&["--", "true"]);
        leaked(&found, "access token", ("inside", "file"), "base64");
        std::fs::remove_file(stage.project().join(format!("shift-{shift}"))).unwrap();
    }
    let wrapped = encode(format!("{}{}", "-".repeat(40), planted.refresh));
    stage.project_file("wrapped", &format!("{}\n{}\n", &wrapped[..76], &wrapped[76..]));
    let hex: String = planted.access.bytes().map(|byte| format!("{byte:02X}")).collect();
    stage.project_file("hexadecimal", &hex);
    // Longer than what is read at once, with the secret across the border.
    stage.project_file("long", &format!("{}{}", "y".repeat(256 * 1024 - 20), planted.access));
    stage.project_file(&format!("named/{}", planted.refresh), &planted.key);
    std::os::unix::fs::symlink(&planted.access, stage.project().join("link")).unwrap();
    let found = test(&["--", "true"]);
    leaked(&found, "refresh token", ("inside", "file"), "base64");
    leaked(&found, "access token", ("inside", "file"), "hexadecimal");
    leaked(&found, "refresh token", ("inside", "names"), "as it is");
    leaked(&found, "api key", ("inside", "file"), "as it is");
    for name in ["long", "link"] {
        let path = stage.project().join(name).display().to_string();
        let found = found["leaks"].as_array().unwrap().iter().find(|one| one["name"] == path.as_str());
        assert!(
            found.is_some_and(|one| one["what"] == "access token" && one["whole"] == true),
            "{name}: {found:?}"
        );
    }
    for file in ["wrapped", "hexadecimal", "long", "link"] {
        std::fs::remove_file(stage.project().join(file)).unwrap();
    }
    std::fs::remove_dir_all(stage.project().join("named")).unwrap();

    // What a command holds, says and sends. The test gives it in two halves that are no secret.
    let (head, tail) = planted.access.split_at(planted.access.len() - 16);
    let (pieces, script) = (format!("{head} {tail}"), stage.project_file("pieces", ""));
    std::fs::write(script, pieces.replace("sk-ant-oat01-FAKE-", "")).unwrap();
    let shell = "read head tail < pieces; rm pieces; word=\"sk-ant-oat01-FAKE-$head$tail\"; echo \"$word\"; \
                 exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET http://example.org/ HTTP/1.1\\r\\nx: %s\\r\\n\\r\\n' \"$word\" >&3; \
                 sleep 4; : \"$word\"";
    let found = test(&["--", "bash", "-c", shell]);
    leaked(&found, "access token", ("inside", "memory"), "as it is");
    leaked(&found, "access token", ("outside", "memory"), "as it is");
    leaked(&found, "access token", ("boundary", "connection"), "as it is");
    leaked(&found, "access token", ("inside", "output"), "as it is");
}

#[test]
fn a_key_that_the_user_passes_by_name_is_found() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let words = ["--auth", "none", "--network", "none", "--env", "ANTHROPIC_API_KEY", "--", "true"];
    let real = "sk-ant-api03-FAKE-the-users-own-key-0123456789";
    let ran = run(leaktest(&stage, &words).env("ANTHROPIC_API_KEY", real));
    ran.keeps_secret(&[real]);
    let report = report(&ran, 1);
    leaked(&report, "api key", ("inside", "variable"), "as it is");
    let name = |one: &Value| one["name"] == "ANTHROPIC_API_KEY";
    assert!(report["leaks"].as_array().unwrap().iter().any(name), "{report:#}");
}

/// No byte of what the user really has is in the run: a search for it finds nothing, and the API never sees it.
#[test]
fn the_users_own_credentials_stay_out_of_the_test() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let own = "FAKE-users-own-0123456789";
    stage.scratch.write_home(LOGIN, &format!(r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-{own}","refreshToken":"sk-ant-ort01-{own}","expiresAt":9999999999999,"scopes":["user:inference"]}}}}"#)).unwrap();
    let settings =
        json!({"env": {"ANTHROPIC_AUTH_TOKEN": own, "MINE": "kept"}, "apiKeyHelper": format!("echo {own}")});
    stage.scratch.write_home(".claude/settings.json", &settings.to_string()).unwrap();
    let words = stage.scratch.write_home(".claude/CLAUDE.md", "the user's own words").unwrap();
    // For root: what only root can read stays outside.
    std::fs::set_permissions(words, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (head, tail) = own.split_at(9);
    let script = format!(
        "cat ~/.claude/CLAUDE.md ~/.claude/settings.json > seen; word='{head}''{tail}'; env | grep -v ^ANTHROPIC > env; \
         grep -rlF \"$word\" / --exclude-dir=proc --exclude-dir=usr --exclude-dir=opt > found 2>/dev/null; true"
    );
    let words = ["--auth", "lease", "--network", "agent", "--env", "MY_TOKEN", "--", "sh", "-c", &script];
    let ran = run(leaktest(&stage, &words)
        .env("ANTHROPIC_API_KEY", own)
        .env("MY_TOKEN", own)
        .env("COFFER_LOG", "x"));
    ran.keeps_secret(&[own]);
    let report = report(&ran, 0);
    let read = |name: &str| std::fs::read_to_string(stage.project().join(name)).unwrap();
    assert_eq!(read("found"), "");
    let seen = read("seen");
    assert!(seen.contains("the user's own words") && seen.contains(r#""MINE":"kept""#), "{seen}");
    assert!(read("env").contains("MY_TOKEN=coffer-leaktest-stand-in"), "{}", read("env"));
    assert!(!read("env").contains(own));
    // A canary in each place in which the user has something.
    assert_eq!(report["kinds"], json!(["auth_token", "api_key", "helper", "subscription"]));
    assert_eq!(report["winner"], "ANTHROPIC_AUTH_TOKEN");
}

#[test]
fn a_credential_in_the_project_is_refused_by_name() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let settings = json!({"env": {"ANTHROPIC_API_KEY": "sk-ant-api03-FAKE-in-the-project"}});
    stage.project_file(".claude/settings.json", &settings.to_string());
    let ran = run(leaktest(&stage, &["--", "true"]));
    ran.refuses(1, "credential-in-project", "ANTHROPIC_API_KEY", "settings.json");
}

#[test]
fn an_ordinary_user_tests_as_root_does() {
    let Some(stage) = Stage::of_ordinary_user().filter(|_| possible()) else { return };
    let words = ["--auth", "lease", "--network", "agent", "--kind", "subscription", "--", "true"];
    let report = report(&run(leaktest(&stage, &words)), 0);
    assert!(has(&report, "exposed", "access token", ("outside", "file"), "as it is"), "{report:#}");
    assert!(report["searched"]["outside"]["memory_regions"].as_u64() > Some(0), "{report:#}");
}

/// With the genuine client, caught while it waits for an answer.
fn genuine(claude: Option<PathBuf>, flags: &[&str], check: impl Fn(&Value)) {
    let Some(claude) = claude.filter(|_| possible()) else { return };
    let practice = Practice::new(Stage::new(), &claude);
    let mut command = leaktest(&practice.stage, flags);
    practice.equip(&mut command);
    let report = report(&run(command), 0);
    assert_eq!(
        (&report["client"]["is_agent"], &report["client"]["code"]),
        (&json!(true), &json!(0)),
        "{report:#}"
    );
    assert_eq!(report["client"]["caught_asking"], true, "{report:#}");
    assert!(report["api"]["answered"].as_u64() > Some(0), "{report:#}");
    // The memory of a client is large.
    assert!(report["searched"]["inside"]["memory_regions"].as_u64() > Some(20), "{report:#}");
    check(&report);
}

const KINDS: [(&str, &str); 5] = [
    ("subscription", "access token"),
    ("api-key", "api key"),
    ("auth-token", "auth token"),
    ("setup-token", "setup token"),
    ("helper", "helper's key"),
];

/// The API was shown the real thing, and nothing of it is inside.
fn clean_by_the_gateway(claude: Option<PathBuf>, kinds: &[(&str, &str)]) {
    for (kind, what) in kinds {
        let flags = ["--auth", "gateway", "--network", "agent", "--kind", kind];
        genuine(claude.clone(), &flags, |report| {
            assert_eq!((&report["leaks"], &report["exposed"]), (&json!([]), &json!([])), "{kind}");
            let shown = report["api"]["credentials"].as_array().unwrap();
            assert!(shown.iter().any(|one| one["what"] == *what), "{kind}: {shown:#?}");
            // The client asks some things past the gateway: with the run's word, which is worth nothing there.
            let known = [json!(what), json!("word of the run")];
            assert!(shown.iter().all(|one| known.contains(&one["what"])), "{kind}: {shown:#?}");
        });
    }
}

#[test]
fn clean_by_the_gateway_for_every_kind_genuine_native() {
    clean_by_the_gateway(require::claude_native(), &KINDS);
}

#[test]
fn clean_by_the_gateway_genuine_js() {
    clean_by_the_gateway(require::claude_js(), &KINDS[..2]);
}

/// The access token is in the lease, in the client's memory and on its way to the API, and nothing else is anywhere.
fn a_lease_in_the_client(claude: Option<PathBuf>) {
    let flags = ["--auth", "lease", "--network", "agent", "--kind", "subscription"];
    genuine(claude, &flags, |report| {
        let places = [("inside", "file"), ("inside", "memory"), ("outside", "memory"), ("api", "request")];
        for place in places {
            assert!(has(report, "exposed", "access token", place, "as it is"), "{place:?}: {report:#}");
        }
        let exposed = report["exposed"].as_array().unwrap();
        assert!(exposed.iter().all(|one| one["what"] == "access token"), "{report:#}");
    });
}

/// Only a client that is known to lose no login may share one.
#[test]
fn a_shared_login_is_told_of_with_both_tokens_genuine_native() {
    let Some(claude) = require::claude_native().filter(|_| possible()) else { return };
    let practice = Practice::new(Stage::new(), &claude);
    let stage = &practice.stage;
    run(stage.coffer(["account", "add", "work", "--kind", "subscription"])).ends_with(0);
    let flags = ["--auth", "shared", "--account", "work", "--network", "agent", "--", "true"];
    let mut command = leaktest(stage, &flags);
    practice.equip(&mut command);
    let report = report(&run(command), 0);
    for what in ["access token", "refresh token"] {
        assert!(has(&report, "exposed", what, ("inside", "file"), "as it is"), "{what}: {report:#}");
    }
    assert_eq!((&report["account"], &report["kinds"]), (&json!("work"), &json!(["subscription"])));
}

#[test]
fn a_lease_in_the_client_genuine_native() {
    a_lease_in_the_client(require::claude_native());
}

#[test]
fn a_lease_in_the_client_genuine_js() {
    a_lease_in_the_client(require::claude_js());
}
