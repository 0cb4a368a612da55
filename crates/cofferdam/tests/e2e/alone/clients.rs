//! The genuine CLI, outside of any sandbox of ours.

use std::process::Command;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, LoginSpec, netns, require};

use super::{Gateway, account_with_key, connect, files_with, token};
use crate::support::practice::{HOSTS, Practice};
use crate::support::record::Record;
use crate::support::{Ran, Stage, run};

macro_rules! with_both {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn genuine_native() {
                let test = concat!("alone::clients::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::scenarios::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("alone::clients::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::scenarios::$name);
            }
        })+
    };
}

with_both!(a_key_by_base_url, a_subscription_by_base_url, a_host_by_proxy);

fn with(test: &str, claude: Option<std::path::PathBuf>, scenario: impl Fn(&Practice)) {
    let Some(claude) = claude else { return };
    if netns::inside(test, &HOSTS) {
        scenario(&Practice::new(Stage::new(), &claude));
    }
}

/// The CLI as it would be in anybody's container: with a home of its own, and these variables.
fn claude(practice: &Practice, home: &str, variables: &[(&str, &str)]) -> Ran {
    let home = practice.stage.scratch.root().join(home);
    std::fs::create_dir_all(&home).unwrap();
    let mut command: Command = practice.stage.command("claude");
    practice.equip(&mut command);
    command.env("HOME", &home).env_remove("ANTHROPIC_BASE_URL").args(["-p", "hi"]).current_dir(&home);
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    run(command.envs(variables.iter().copied()))
}

mod scenarios {
    use super::*;

    pub(super) fn a_key_by_base_url(practice: &Practice) {
        let stage = &practice.stage;
        let key = practice.api.add_api_key();
        account_with_key(stage, "work", &key, &practice.api.base_url());
        let (id, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let url = format!("http://{}", gateway.place());
        let said =
            claude(practice, "container", &[("ANTHROPIC_BASE_URL", &url), ("ANTHROPIC_AUTH_TOKEN", &word)]);
        assert!(said.ends_with(0).text().contains("practice answer"), "{said}");
        let seen = practice.messages().pop().unwrap();
        assert_eq!(seen.credential("x-api-key"), Some(fingerprint(&key).as_str()), "{seen:?}");
        assert_eq!(seen.credential("authorization"), None, "{seen:?}");
        // Neither the key nor the token is anywhere but where it belongs.
        let container = stage.scratch.root().join("container");
        assert_eq!(files_with(&container, &key), Vec::<String>::new());
        assert_eq!(files_with(&stage.home(), &word), Vec::<String>::new());
        for name in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{}/{name}", gateway.child.id())).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(&word), "{name}");
        }
        let said = gateway.ends();
        assert!(!said.contains(&word) && !said.contains(&key), "{said}");
        let decided = Record::of(stage).events("gateway_decided");
        let of_token =
            decided.iter().filter(|event| event["run"] == id.as_str() && event["verdict"] == "allowed");
        assert!(of_token.clone().any(|event| event["status"] == 200), "{decided:?}");
        assert!(of_token.clone().all(|event| event["host"] == "127.0.0.1"), "{decided:?}");
    }

    /// Only because it was named: the token stands for the login, and the gateway alone has it.
    pub(super) fn a_subscription_by_base_url(practice: &Practice) {
        let login = practice.sign_in_account("mine", &LoginSpec::default());
        let (_, word) = token(&practice.stage, "mine", &[]);
        let gateway = Gateway::on_a_port(&practice.stage);
        let url = format!("http://{}", gateway.place());
        let said = claude(
            practice,
            "container",
            &[("ANTHROPIC_BASE_URL", &url), ("CLAUDE_CODE_OAUTH_TOKEN", &word)],
        );
        assert!(said.ends_with(0).text().contains("practice answer"), "{said}");
        let seen = practice.messages().pop().unwrap();
        assert_eq!(
            seen.credential("authorization"),
            Some(fingerprint(&login.access_token).as_str()),
            "{seen:?}"
        );
        let beta = seen.beta.unwrap_or_default();
        assert!(beta.contains("oauth"), "the client says how it is signed in: {beta}");
    }

    /// By a tunnel: the client has a key of its own, and the token lets it out.
    pub(super) fn a_host_by_proxy(practice: &Practice) {
        let stage = &practice.stage;
        let ca = stage.scratch.root().join("ca.pem");
        let api = FakeApi::builder().tls(([127, 0, 0, 1], 443).into()).ca_out(&ca).start().unwrap();
        let (own, key) = (api.add_api_key(), practice.api.add_api_key());
        account_with_key(stage, "work", &key, &practice.api.base_url());
        stage.config("[upstream.hosts]\n'api.anthropic.com' = '127.0.0.1:443'\n");
        let (id, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let proxy = format!("http://token:{word}@{}", gateway.place());
        let ca = ca.display().to_string();
        let variables =
            [("HTTPS_PROXY", proxy.as_str()), ("NODE_EXTRA_CA_CERTS", &ca), ("ANTHROPIC_API_KEY", &own)];
        let said = claude(practice, "container", &variables);
        assert!(said.ends_with(0).text().contains("practice answer"), "{said}");
        let messages: Vec<_> = api.requests().into_iter().filter(|one| one.path == "/v1/messages").collect();
        assert!(!messages.is_empty());
        for seen in messages {
            assert_eq!(seen.credential("x-api-key"), Some(fingerprint(&own).as_str()), "{seen:?}");
        }
        // With another word for a token nobody gets anywhere; the client would only try it again and again.
        let wrong = format!("{}deadbeef", &word[..word.len() - 8]);
        let before = api.requests().len();
        let asked = connect("api.anthropic.com:443", &wrong);
        let answer = gateway.hears(&asked.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
        assert_eq!(api.requests().len(), before, "nobody was reached");
        gateway.ends();
        let decided = Record::of(stage).events("gateway_decided");
        let by = |run: &str, verdict: &str| {
            decided.iter().any(|event| event["run"] == run && event["verdict"] == verdict)
        };
        assert!(by(&id, "allowed") && by("gateway", "unauthorized"), "{decided:?}");
    }
}

/// Nobody waits for it with a token of its own: the keeper renews the login, once, and the request goes on.
#[test]
fn a_login_that_has_ended_is_renewed_for_its_token_genuine_native() {
    let test = "alone::clients::a_login_that_has_ended_is_renewed_for_its_token_genuine_native";
    let Some(claude) = require::claude_native() else { return };
    if !netns::inside(test, &HOSTS) {
        return;
    }
    let practice = Practice::with_token_server(Stage::new(), &claude);
    let login = practice.sign_in_account("mine", &LoginSpec::expired());
    let (_, word) = token(&practice.stage, "mine", &[]);
    let mut command = practice.stage.coffer(["gateway", "--listen", "127.0.0.1:0"]);
    practice.equip(&mut command);
    let gateway = Gateway::of(command);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asks: Vec<_> = (0..4).map(|_| scope.spawn(|| gateway.hears(&super::post(&word)))).collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    for answer in answers {
        assert!(!answer.starts_with("HTTP/1.1 401") && !answer.starts_with("HTTP/1.1 5"), "{answer}");
    }
    assert_eq!(practice.token_requests().len(), 1);
    let messages = practice.messages();
    assert_eq!(messages.len(), 4);
    for seen in messages {
        let shown = seen.credential("authorization").unwrap();
        assert_ne!(shown, fingerprint(&login.access_token), "the old one goes nowhere");
    }
    gateway.ends();
}

/// As it is mounted into a container; older versions know no such socket.
#[test]
fn a_key_by_a_socket_genuine_native() {
    with("alone::clients::a_key_by_a_socket_genuine_native", require::claude_native(), |practice| {
        let stage = &practice.stage;
        let key = practice.api.add_api_key();
        account_with_key(stage, "work", &key, &practice.api.base_url());
        let (_, word) = token(stage, "work", &[]);
        let folder = stage.scratch.root().join("sockets");
        let listen = format!("unix:{}/gateway.sock", folder.display());
        let gateway = Gateway::of(stage.coffer(["gateway", "--listen", &listen]));
        let path = gateway.place().strip_prefix("unix:").unwrap();
        let variables = [
            ("ANTHROPIC_UNIX_SOCKET", path),
            ("ANTHROPIC_BASE_URL", "http://localhost"),
            ("ANTHROPIC_AUTH_TOKEN", word.as_str()),
        ];
        let said = claude(practice, "container", &variables);
        assert!(said.ends_with(0).text().contains("practice answer"), "{said}");
        let seen = practice.messages().pop().unwrap();
        assert_eq!(seen.credential("x-api-key"), Some(fingerprint(&key).as_str()), "{seen:?}");
        gateway.ends();
    });
}
