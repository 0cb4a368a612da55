//! The genuine CLI, at every pinned version, for every kind of credential and each way in which it can be signed in:
//! what the API is sent through the gateway is what it is sent without it.
//!
//! `ANTHROPIC_UNIX_SOCKET` is not in the table: Cofferdam does not use it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, LoginSpec, netns, require};
use serde_json::Value;

use crate::gateways::ready;
use crate::support::practice::{HOSTS, Practice};
use crate::support::record::Record;
use crate::support::{Stage, run, run_with_input, sandboxes};

/// Runs a scenario with a pinned CLI inside a namespace; `test` is the calling test's full name.
fn with(test: &str, claude: Option<PathBuf>, scenario: impl Fn(&Practice)) {
    let Some(claude) = claude else { return };
    if sandboxes() && netns::inside(test, &HOSTS) {
        let stage = Stage::new();
        // Also the token server, under its own names: logins can be refreshed.
        scenario(&Practice::with_token_server(stage, &claude));
    }
}

macro_rules! with_both {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn genuine_native() {
                let test = concat!("conformance::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::scenarios::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("conformance::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::scenarios::$name);
            }
        })+
    };
}

with_both!(
    a_key_of_the_environment,
    a_token_of_the_environment,
    a_setup_token_of_the_environment,
    a_helper_of_the_settings,
    the_hosts_subscription,
    the_subscription_of_an_account,
    the_key_of_an_account,
    the_token_of_an_account,
    the_setup_token_of_an_account,
    the_helper_of_an_account,
    a_lease_through_a_tunnel,
    a_login_that_is_dead,
    a_helper_that_has_nothing_any_more,
);

/// What the API was sent, without what belongs to one connection or to one start of the agent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    pub(crate) what: (String, String, Vec<String>),
    headers: Vec<(String, String)>,
    body: String,
}

impl Arrival {
    /// Without these words of its body.
    pub(crate) fn without(mut self, words: &str) -> Self {
        self.body = self.body.replace(words, "");
        self.headers.retain(|(name, _)| name != "content-length");
        self
    }
}

/// Who is asked and how often is the connection's matter; what an answer may be packed in, the gateway's.
const NOT_COMPARED: [&str; 4] = ["host", "connection", "accept-encoding", "keep-alive"];

/// What has arrived since.
pub(crate) fn arrivals(api: &FakeApi, since: usize) -> Vec<Arrival> {
    let (requests, bodies) = (api.requests(), api.bodies());
    // A client may open a connection ahead, or not: it depends on what is faster.
    let ahead = |method: &str, path: &str| method == "HEAD" && path == "/";
    let new = requests.into_iter().zip(bodies).skip(since);
    let new = new.filter(|(request, _)| !ahead(&request.method, &request.path));
    let mut all: Vec<_> = new
        .map(|(request, body)| {
            let headers = request.headers.iter().filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()));
            let mut headers: Vec<_> =
                headers.map(|(name, value)| (name.clone(), without_numbers_of_a_start(value))).collect();
            // Between different names there is no order.
            headers.sort_by(|(one, _), (other, _)| one.cmp(other));
            let body = without_numbers_of_a_start(&String::from_utf8_lossy(&body));
            Arrival { what: (request.method, request.path, request.query), headers, body }
        })
        .collect();
    all.sort();
    all
}

/// Sessions and devices have numbers that are made anew with each start: long runs of hex digits and dashes.
fn without_numbers_of_a_start(text: &str) -> String {
    let (mut out, mut run) = (String::new(), String::new());
    for char in text.chars().chain(std::iter::once('\0')) {
        if char.is_ascii_hexdigit() || char == '-' {
            run.push(char);
            continue;
        }
        if run.len() >= 32 {
            out.push_str("NUMBER")
        } else {
            out.push_str(&run)
        }
        run.clear();
        out.push(char);
    }
    out.pop();
    // A word that the client makes of each request for itself.
    let mut parts = out.split("; cch=");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "; cch=" + part.split_once(';').map_or(part, |(_, rest)| rest))
}

/// A credential and how it is had.
struct Case<'a> {
    /// Flags that choose the account.
    flags: &'a [&'a str],
    variable: Option<(&'a str, &'a str)>,
    /// The same without the gateway, where it has to be had in another way there.
    direct: Option<(&'a str, &'a str)>,
    secret: &'a str,
    /// The headers in which the API wants it.
    headers: &'a [&'a str],
    tiers: &'a [&'a str],
}

impl Case<'_> {
    /// The agent is run without the gateway, and then through it in each tier: the API is sent the same.
    fn compare(&self, practice: &Practice) {
        practice.api.keep_bodies();
        let asks = |flags: &[&str], variable: Option<(&str, &str)>| {
            let since = practice.api.requests().len();
            let mut command =
                practice.run(&[self.flags, flags, &["--state", "fresh", "--", "-p", "hi"]].concat());
            command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").envs(variable);
            let said = run(&mut command);
            said.ends_with(0).keeps_secret(&[self.secret]);
            assert!(said.text().contains("practice answer"), "{said}");
            let arrived = arrivals(&practice.api, since);
            assert!(arrived.iter().any(|one| one.what.1 == "/v1/messages"), "{arrived:?}");
            arrived
        };
        let direct = asks(&["--auth", "lease", "--network", "full"], self.direct.or(self.variable));
        for tier in self.tiers {
            let through = asks(&["--auth", "gateway", "--network", tier], self.variable);
            assert_same(&direct, &through, tier);
            let seen = practice.messages().pop().unwrap();
            for header in ["authorization", "x-api-key"] {
                let expected = self.headers.contains(&header).then(|| fingerprint(self.secret));
                assert_eq!(seen.credential(header), expected.as_deref(), "{tier}: {seen:?}");
            }
        }
        self.is_recorded(practice);
    }

    /// One event for each decision: who, by whose word, which credential, how much; never what was said.
    fn is_recorded(&self, practice: &Practice) {
        let events = Record::of(&practice.stage).events("gateway_decided");
        let with_key = format!("sha256:{}", fingerprint(self.secret));
        let of_the_api: Vec<_> = events.iter().filter(|event| event["credential"] == *with_key).collect();
        assert!(of_the_api.len() >= self.tiers.len(), "{events:?}");
        let runs = Record::of(&practice.stage).events("run_started");
        for event in of_the_api {
            assert!(runs.iter().any(|run| run["run"] == event["run"]), "{event}");
            assert_eq!(
                (&event["host"], &event["verdict"]),
                (&"127.0.0.1".into(), &"allowed".into()),
                "{event}"
            );
            assert_eq!(event["port"], practice.api.addr().port(), "{event}");
            assert!(event["rule"].is_string() && event["ms"].is_u64() && event["times"].is_u64(), "{event}");
            assert!(event["received"].as_u64() > Some(0), "{event}");
        }
        let sent: u64 = events.iter().filter_map(|event| event["sent"].as_u64()).sum();
        assert!(sent > 10_000, "the agent's messages are long: {events:?}");
        let file = practice.stage.data().join("ledger/ledger.jsonl");
        let all = std::fs::read_to_string(file).unwrap();
        for never in
            ["/v1/messages", "beta=true", "practice answer", "coffer-run-", "user-agent", self.secret]
        {
            assert!(!all.contains(never), "{never} is in the ledger");
        }
    }
}

/// The same, and where not, where.
pub(crate) fn assert_same(direct: &[Arrival], through: &[Arrival], tier: &str) {
    let whats = |all: &[Arrival]| all.iter().map(|one| one.what.clone()).collect::<Vec<_>>();
    assert_eq!(whats(direct), whats(through), "{tier}");
    for (one, other) in direct.iter().zip(through) {
        assert_eq!(one.headers, other.headers, "{tier}: {:?}", one.what);
        let at = one.body.bytes().zip(other.body.bytes()).position(|(one, other)| one != other);
        let near = |body: &str, at: usize| {
            body.get(at.saturating_sub(60)..(at + 60).min(body.len())).map(str::to_owned)
        };
        let differ = at.map(|at| (near(&one.body, at), near(&other.body, at)));
        assert!(one.body == other.body, "{tier}: {:?}: {differ:?}", one.what);
    }
}

mod scenarios {
    use super::*;

    pub(super) fn a_key_of_the_environment(practice: &Practice) {
        let key = practice.api.add_api_key();
        let variable = Some(("ANTHROPIC_API_KEY", key.as_str()));
        Case {
            flags: &[],
            variable,
            direct: None,
            secret: &key,
            headers: &["x-api-key"],
            tiers: &["agent", "full"],
        }
        .compare(practice);
    }

    pub(super) fn a_token_of_the_environment(practice: &Practice) {
        let token = practice.api.add_auth_token();
        let variable = Some(("ANTHROPIC_AUTH_TOKEN", token.as_str()));
        Case {
            flags: &[],
            variable,
            direct: None,
            secret: &token,
            headers: &["authorization"],
            tiers: &["dev"],
        }
        .compare(practice);
    }

    pub(super) fn a_setup_token_of_the_environment(practice: &Practice) {
        let token = practice.api.issue_login(&LoginSpec::refreshless()).access_token;
        let variable = Some(("CLAUDE_CODE_OAUTH_TOKEN", token.as_str()));
        Case {
            flags: &[],
            variable,
            direct: None,
            secret: &token,
            headers: &["authorization"],
            tiers: &["agent", "full"],
        }
        .compare(practice);
    }

    pub(super) fn a_helper_of_the_settings(practice: &Practice) {
        let key = practice.api.add_api_key();
        let settings = serde_json::json!({ "apiKeyHelper": format!("echo {key}") }).to_string();
        practice.stage.scratch.write_home(".claude/settings.json", &settings).unwrap();
        let headers = &["authorization", "x-api-key"];
        // A helper of the settings is a matter of the host: without the gateway nothing of it is inside.
        let token = practice.api.add_auth_token();
        let direct = Some(("ANTHROPIC_AUTH_TOKEN", token.as_str()));
        Case { flags: &[], variable: None, direct, secret: &key, headers, tiers: &["agent"] }
            .compare(practice);
    }

    pub(super) fn the_hosts_subscription(practice: &Practice) {
        let token = practice.sign_in(&LoginSpec::default()).access_token;
        Case {
            flags: &[],
            variable: None,
            direct: None,
            secret: &token,
            headers: &["authorization"],
            tiers: &["agent"],
        }
        .compare(practice);
    }

    pub(super) fn the_subscription_of_an_account(practice: &Practice) {
        let token = practice.sign_in_account("work", &LoginSpec::default()).access_token;
        let flags = &["--account", "work"];
        Case {
            flags,
            variable: None,
            direct: None,
            secret: &token,
            headers: &["authorization"],
            tiers: &["agent"],
        }
        .compare(practice);
    }

    /// An account with a secret of this kind, whose API has an address of its own.
    fn account(practice: &Practice, kind: &str, secret: &str) {
        let url = practice.api.base_url();
        let mut command =
            practice.stage.coffer(["account", "add", "work", "--kind", kind, "--base-url", &url]);
        run_with_input(&mut command, secret.as_bytes()).ends_with(0).keeps_secret(&[secret]);
    }

    fn of_an_account(practice: &Practice, secret: &str, headers: &[&str], tiers: &[&str]) {
        Case { flags: &["--account", "work"], variable: None, direct: None, secret, headers, tiers }
            .compare(practice);
    }

    pub(super) fn the_key_of_an_account(practice: &Practice) {
        let key = practice.api.add_api_key();
        account(practice, "api-key", &key);
        of_an_account(practice, &key, &["x-api-key"], &["learn"]);
    }

    pub(super) fn the_token_of_an_account(practice: &Practice) {
        let token = practice.api.add_auth_token();
        account(practice, "auth-token", &token);
        of_an_account(practice, &token, &["authorization"], &["agent"]);
    }

    pub(super) fn the_setup_token_of_an_account(practice: &Practice) {
        let token = practice.api.issue_login(&LoginSpec::refreshless()).access_token;
        account(practice, "setup-token", &token);
        of_an_account(practice, &token, &["authorization"], &["agent"]);
    }

    pub(super) fn the_helper_of_an_account(practice: &Practice) {
        let key = practice.api.add_api_key();
        let helper = practice.stage.home().join("bin/give");
        std::fs::create_dir_all(helper.parent().unwrap()).unwrap();
        std::fs::write(&helper, format!("#!/bin/sh\necho {key}\n")).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let record = serde_json::json!({"schema": 1, "name": "work", "agent": "claude", "kind": "helper", "created_at_ms": 0,
            "helper": [helper], "base_url": practice.api.base_url()});
        let file = ".local/share/cofferdam/accounts/work/account.json";
        practice.stage.scratch.write_home(file, &record.to_string()).unwrap();
        of_an_account(practice, &key, &["x-api-key"], &["agent"]);
    }

    /// From end to end in TLS: the gateway cannot change a thing, and the agent notices none.
    pub(super) fn a_lease_through_a_tunnel(practice: &Practice) {
        practice.api.keep_bodies();
        let login = practice.sign_in(&LoginSpec::default());
        let api = SocketAddr::from(([127, 0, 0, 1], 443));
        practice.stage.config(&format!("[upstream.hosts]\n'api.anthropic.com' = '{api}'\n"));
        let ca = practice.stage.scratch.root().join("ca.pem").display().to_string();
        let asks = |tier: &str| {
            let since = practice.api.requests().len();
            let flags =
                ["--network", tier, "--mount", &ca, "--env", "NODE_EXTRA_CA_CERTS", "--state", "fresh"];
            let mut command: Command = practice.run(&[&flags[..], &["--", "-p", "hi"]].concat());
            command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env_remove("ANTHROPIC_BASE_URL");
            let said = run(&mut command);
            said.ends_with(0).keeps_secret(&[login.refresh_token.as_deref().unwrap()]);
            assert!(said.text().contains("practice answer"), "{said}");
            let mut arrived = arrivals(&practice.api, since);
            arrived.retain(|one| one.what.1 == "/v1/messages");
            for one in &mut arrived {
                // Nobody could change it on the way. The client of 2.1.112 says a little more of where it is.
                one.body.clear();
                one.headers.retain(|(name, _)| name != "content-length");
            }
            arrived
        };
        let direct = asks("full");
        for tier in ["agent", "dev", "learn"] {
            assert_same(&direct, &asks(tier), tier);
            let seen = practice.messages().pop().unwrap();
            assert!(
                seen.tls && seen.credential("authorization") == Some(&fingerprint(&login.access_token)),
                "{seen:?}"
            );
        }
        let events = Record::of(&practice.stage).events("gateway_decided");
        let tunnels: Vec<&Value> =
            events.iter().filter(|event| event["host"] == "api.anthropic.com").collect();
        assert!(
            tunnels.iter().any(|event| event["verdict"] == "allowed" && event["port"] == 443),
            "{events:?}"
        );
        assert!(tunnels.iter().all(|event| event["credential"].is_null()), "{events:?}");
    }

    /// The login ends for good while the agent runs: it shows what to type, and ends.
    pub(super) fn a_login_that_is_dead(practice: &Practice) {
        let login = practice.sign_in_account("work", &LoginSpec::default());
        let refresh = login.refresh_token.clone().unwrap();
        let said = asks_too_late(practice, &["--account", "work"], || assert!(practice.api.revoke(&refresh)));
        // What to type: to sign in anew, or to get a client that can refresh.
        let command = said.contains("`coffer login --account work`") || said.contains("`npm install -g ");
        assert!(said.contains("coffer: the login of the account `work`") && command, "{said}");
    }

    /// The same for a helper that fails all at once.
    pub(super) fn a_helper_that_has_nothing_any_more(practice: &Practice) {
        let key = practice.api.add_api_key();
        let file = practice.stage.scratch.root().join("key");
        std::fs::write(&file, &key).unwrap();
        let settings = serde_json::json!({ "apiKeyHelper": format!("cat {}", file.display()) }).to_string();
        practice.stage.scratch.write_home(".claude/settings.json", &settings).unwrap();
        let said = asks_too_late(practice, &[], || {
            practice.api.revoke(&key);
            std::fs::remove_file(&file).unwrap();
        });
        assert!(said.contains("helper"), "{said}");
    }

    /// What the agent says when something happens between the gateway's start and its first request: it ends at once,
    /// and has asked once.
    fn asks_too_late(practice: &Practice, more: &[&str], happens: impl FnOnce()) -> String {
        let script = "echo ready; read _; exec claude -p hi";
        let flags = ["--auth", "gateway", "--network", "agent"];
        let mut command = practice.run(&[&flags[..], more, &["--", "sh", "-c", script]].concat());
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        ready(child.stdout.as_mut().unwrap());
        happens();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(!ended.status.success(), "{ended:?}");
        let asked = practice.messages().len();
        assert!((1..=3).contains(&asked), "asked {asked} times: {ended:?}");
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
    }
}
