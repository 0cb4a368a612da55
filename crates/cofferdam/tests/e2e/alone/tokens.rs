//! Tokens: whose credential they lead to, and what they are worth when they are wrong, taken away, or damaged.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, LoginSpec, netns};
use serde_json::{Value, json};

use super::{Gateway, account_with_key, connect, head, post, token};
use crate::support::record::Record;
use crate::support::{Stage, run, run_with_input};

/// Inside a namespace with nothing but loopback: a stage, and an API.
fn inside(test: &str, scenario: impl Fn(&Stage, &FakeApi)) {
    if netns::inside(&format!("alone::tokens::{test}"), &[]) {
        scenario(&Stage::new(), &FakeApi::builder().start().unwrap());
    }
}

/// The body of an answer, as JSON.
#[track_caller]
fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn what_is_no_token_gets_no_further() {
    inside("what_is_no_token_gets_no_further", |stage, api| {
        let key = api.add_api_key();
        account_with_key(stage, "work", &key, &api.base_url());
        let (id, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let answer = gateway.hears(&post(&word));
        assert!(!answer.starts_with("HTTP/1.1 401"), "the control: {answer}");
        let before = api.requests().len();
        assert!(before > 0);
        let (shorter, longer) = (&word[..word.len() - 1], format!("{word}0"));
        for wrong in ["", "coffer-token-", shorter, &longer, &id, &word.to_uppercase(), &key] {
            let answer = gateway.hears(&post(wrong));
            assert!(answer.starts_with("HTTP/1.1 401 "), "{wrong}: {answer}");
            let error = body(&answer);
            assert_eq!(error["error"]["type"], "authentication_error", "{error}");
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.contains("coffer gateway token create"), "{message}");
            let answer = gateway
                .hears(&connect("localhost:1", wrong).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 407 "), "{wrong}: {answer}");
            assert!(answer.to_lowercase().contains("proxy-authenticate: basic realm="), "{answer}");
        }
        let get = "GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n";
        assert!(gateway.hears(get).starts_with("HTTP/1.1 407 "));
        // A token of the API is none of the proxy: it would be sent on.
        let get = format!(
            "GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Bearer {word}\r\nConnection: close\r\n\r\n"
        );
        assert!(gateway.hears(&get).starts_with("HTTP/1.1 407 "));
        assert_eq!(api.requests().len(), before, "nobody was asked");
        // Who asks only whether anybody is there, hears it, and nobody else does.
        let hello = gateway.hears("HEAD /api/hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(hello.starts_with("HTTP/1.1 200 "), "{hello}");
        assert_eq!(api.requests().len(), before);
        run(stage.coffer(["gateway", "token", "revoke", &id])).ends_with(0);
        // From the very next request on.
        assert!(gateway.hears(&post(&word)).starts_with("HTTP/1.1 401 "));
        assert_eq!(api.requests().len(), before);
        gateway.ends();
        let changes = Record::of(stage).events("token_changed");
        let said: Vec<_> = changes.iter().map(|event| (&event["token"], &event["change"])).collect();
        assert_eq!(said, [(&json!(id), &json!("created")), (&json!(id), &json!("revoked"))]);
        assert_eq!(
            super::files_with(&stage.home(), &word),
            Vec::<String>::new(),
            "nor is it written anywhere"
        );
    });
}

#[test]
fn two_accounts_at_once_and_each_token_has_its_own() {
    inside("two_accounts_at_once_and_each_token_has_its_own", |stage, api| {
        let other_api = FakeApi::builder().start().unwrap();
        let key = api.add_api_key();
        account_with_key(stage, "work", &key, &api.base_url());
        let setup = other_api.issue_login(&LoginSpec::refreshless()).access_token;
        let url = other_api.base_url();
        let words = ["account", "add", "home", "--kind", "setup-token", "--base-url", &url];
        run_with_input(&mut stage.coffer(words), setup.as_bytes()).ends_with(0);
        let (_, work) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        // Made while the gateway is at work.
        let (_, home) = token(stage, "home", &[]);
        // On one connection, one after the other: nothing of a token stays with it.
        let mut stream = gateway.connected();
        for round in 0..6 {
            let word = if round % 2 == 0 { &work } else { &home };
            stream.write_all(post(word).replace("Connection: close\r\n", "").as_bytes()).unwrap();
            let head = head(&mut *stream);
            let length = head.to_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut rest = vec![0; length.unwrap_or_else(|| panic!("{head}")).parse().unwrap()];
            stream.read_exact(&mut rest).unwrap();
            assert!(!head.starts_with("HTTP/1.1 401"), "{round}: {head}");
        }
        let seen = |api: &FakeApi, header: &str, secret: &str| {
            let requests = api.requests();
            assert_eq!(requests.len(), 3);
            for one in requests {
                assert_eq!(one.credential(header), Some(fingerprint(secret).as_str()), "{one:?}");
                let none = if header == "x-api-key" { "authorization" } else { "x-api-key" };
                assert_eq!(one.credential(none), None, "{one:?}");
            }
        };
        seen(api, "x-api-key", &key);
        seen(&other_api, "authorization", &setup);
        gateway.ends();
    });
}

#[test]
fn a_token_reaches_whom_it_may_and_more_once_they_are_allowed() {
    inside("a_token_reaches_whom_it_may_and_more_once_they_are_allowed", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let (granted, later) = (super::ends::echo(), super::ends::echo());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let (id, word) = token(stage, "work", &["--allow", &at(granted)]);
        let (_, narrow) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let asks = |port: u16, word: &str| {
            let mut stream = gateway.connected();
            stream.write_all(connect(&at(port), word).as_bytes()).unwrap();
            head(&mut *stream)
        };
        assert!(asks(granted, &word).starts_with("HTTP/1.1 200 "));
        assert!(asks(granted, &narrow).starts_with("HTTP/1.1 403 "), "another token's host is not its own");
        let mut stream = gateway.connected();
        let request = connect(&at(later), &word).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut denied = String::new();
        stream.read_to_string(&mut denied).unwrap();
        let hint = format!("coffer allow {} --run {id}", at(later));
        assert!(denied.starts_with("HTTP/1.1 403 ") && denied.contains(&hint), "{denied}");
        let words: Vec<&str> = hint.split(' ').skip(1).collect();
        run(stage.coffer(words)).ends_with(0);
        assert!(asks(later, &word).starts_with("HTTP/1.1 200 "));
        gateway.ends();
    });
}

#[test]
fn each_kind_of_credential_is_put_in_and_the_users_own_when_it_is_named() {
    inside("each_kind_of_credential_is_put_in_and_the_users_own_when_it_is_named", |stage, api| {
        let url = api.base_url();
        let setup = api.issue_login(&LoginSpec::refreshless()).access_token;
        let kinds = [
            ("api-key", api.add_api_key(), "x-api-key"),
            ("auth-token", api.add_auth_token(), "authorization"),
            ("setup-token", setup, "authorization"),
        ];
        for (kind, secret, _) in &kinds {
            let words = ["account", "add", kind, "--kind", kind, "--base-url", &url];
            run_with_input(&mut stage.coffer(words), secret.as_bytes()).ends_with(0);
        }
        let (helped, own) = (api.add_api_key(), api.add_api_key());
        let helper = stage.scratch.write_home("bin/get-key", &format!("#!/bin/sh\necho {helped}\n")).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let words = ["account", "add", "helper", "--kind", "helper", "--base-url", &url, "--helper"];
        run(stage.coffer(words).arg(&helper)).ends_with(0);
        let users = |words: &[&str]| {
            let mut command = stage.coffer(words);
            command.env("ANTHROPIC_API_KEY", &own).env("ANTHROPIC_BASE_URL", &url);
            command
        };
        let gateway = Gateway::of(users(&["gateway", "--listen", "127.0.0.1:0"]));
        let more = [("helper", helped, "x-api-key"), ("host", own.clone(), "x-api-key")];
        for (account, secret, header) in kinds.iter().chain(&more) {
            let made = run(users(&["gateway", "token", "create", "--account", account, "--ttl", "1h"]));
            let word = made.ends_with(0).keeps_secret(&[secret]).text();
            let answer = gateway.hears(&post(word.trim_end()));
            assert!(!answer.starts_with("HTTP/1.1 401"), "{account}: {answer}");
            let seen = api.requests().pop().unwrap();
            assert_eq!(seen.credential(header), Some(fingerprint(secret).as_str()), "{account}: {seen:?}");
        }
        // Requests to a cloud are signed by the client itself.
        run(stage.coffer(["account", "add", "cloud", "--kind", "cloud"])).ends_with(0);
        let mut create = users(&["gateway", "token", "create", "--account", "cloud", "--ttl", "1h"]);
        run(create.env("CLAUDE_CODE_USE_BEDROCK", "1")).refuses(
            2,
            "auth-unavailable",
            "signed by the client",
            "",
        );
        gateway.ends();
    });
}

/// Whoever was trusted with an account was not trusted with another one of its name.
#[test]
fn an_account_that_goes_takes_its_tokens_along() {
    inside("an_account_that_goes_takes_its_tokens_along", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let (_, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        assert!(!gateway.hears(&post(&word)).starts_with("HTTP/1.1 401"), "the control");
        let before = api.requests().len();
        run(stage.coffer(["account", "remove", "work", "--yes"])).ends_with(0);
        let answer = gateway.hears(&post(&word));
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("`work` cannot be used"), "{answer}");
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let answer = gateway.hears(&post(&word));
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("another one"), "{answer}");
        assert_eq!(api.requests().len(), before, "nobody was asked");
        let (_, new) = token(stage, "work", &[]);
        assert!(!gateway.hears(&post(&new)).starts_with("HTTP/1.1 401"));
        gateway.ends();
    });
}

/// The tier `dev` grows with the user's allowlist, in a gateway that is at work, too; the tier `agent` does not.
#[test]
fn a_token_of_the_tier_dev_follows_the_users_allowlist() {
    inside("a_token_of_the_tier_dev_follows_the_users_allowlist", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let at = format!("127.0.0.1:{}", super::ends::echo());
        let (_, dev) = token(stage, "work", &["--network", "dev"]);
        let (_, agent) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        let asks = |word: &str| {
            let mut stream = gateway.connected();
            stream.write_all(connect(&at, word).as_bytes()).unwrap();
            head(&mut *stream)[..13].to_owned()
        };
        assert_eq!([asks(&dev), asks(&agent)], ["HTTP/1.1 403 ", "HTTP/1.1 403 "]);
        run(stage.coffer(["allow", &at])).ends_with(0);
        assert_eq!([asks(&dev), asks(&agent)], ["HTTP/1.1 200 ", "HTTP/1.1 403 "]);
        gateway.ends();
    });
}

#[test]
fn the_list_says_what_tokens_are_and_no_token() {
    inside("the_list_says_what_tokens_are_and_no_token", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let empty = run(stage.coffer(["gateway", "token", "list", "--json"])).json();
        assert_eq!(empty, json!({ "schema": 1, "tokens": [] }));
        let flags =
            ["--network", "dev", "--allow", "*.example.org", "--allow", "example.net:8443", "--label", "CI"];
        let (first, one) = token(stage, "work", &flags);
        let (second, two) = token(stage, "work", &["--ttl", "90m"]);
        let listed = run(stage.coffer(["gateway", "token", "list", "--json"]));
        listed.keeps_secret(&[&one, &two]);
        let mut list = listed.json();
        for token in list["tokens"].as_array_mut().unwrap() {
            let token = token.as_object_mut().unwrap();
            let at = |value: Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            let lives =
                at(token.remove("created_at").unwrap()).until(at(token.remove("ends_at").unwrap())).unwrap();
            let expected = if token["id"] == first.as_str() { 3600 } else { 5400 };
            assert!((lives.get_seconds() - expected).abs() <= 1, "{lives}");
        }
        assert_eq!(
            list,
            json!({ "schema": 1, "tokens": [
                { "id": first, "label": "CI", "account": "work", "network": "dev",
                  "allow": ["*.example.org", "example.net:8443"], "worth": "good" },
                { "id": second, "label": null, "account": "work", "network": "agent", "allow": [], "worth": "good" },
            ]})
        );
        let listed = run(stage.coffer(["gateway", "token", "list"]));
        listed.keeps_secret(&[&one, &two]);
        assert!(listed.text().contains(&format!("{first}  work  dev  until ")), "{listed}");
    });
}

#[test]
fn what_cannot_be_is_refused_before_there_is_a_token() {
    let stage = Stage::new();
    let create = |words: &[&str]| run(stage.coffer(["gateway", "token", "create"]).args(words));
    create(&["--account", "nobody", "--ttl", "1h"]).refuses(
        2,
        "unknown-account",
        "nobody",
        "coffer account add",
    );
    create(&["--account", "host", "--ttl", "1h"]).refuses(2, "account-unusable", "no credential", "account");
    create(&["--account", "host", "--ttl", "0h"]).refuses(2, "usage", "ended before it began", "");
    create(&["--account", "host"]).refuses(2, "usage", "--ttl", "");
    create(&["--ttl", "1h"]).refuses(2, "usage", "--account", "");
    create(&["--account", "host", "--ttl", "1h", "--network", "full"]).refuses(2, "usage", "agent, dev", "");
    run(stage.coffer(["gateway", "token", "revoke", "tk-00000000"])).refuses(
        2,
        "unknown-token",
        "tk-00000000",
        "coffer gateway token list",
    );
    assert!(!stage.data().join("gateway/tokens.json").exists());
}

#[test]
fn damaged_tokens_let_nobody_in_and_are_never_written_over() {
    inside("damaged_tokens_let_nobody_in_and_are_never_written_over", |stage, api| {
        account_with_key(stage, "work", &api.add_api_key(), &api.base_url());
        let (_, word) = token(stage, "work", &[]);
        let gateway = Gateway::on_a_port(stage);
        assert!(!gateway.hears(&post(&word)).starts_with("HTTP/1.1 401"));
        let file = stage.data().join("gateway/tokens.json");
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, &good[..good.len() / 2]).unwrap();
        let answer = gateway.hears(&post(&word));
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("holds no tokens"), "{answer}");
        for words in [&["create", "--account", "work", "--ttl", "1h"][..], &["list"], &["revoke", "tk-0"]] {
            run(stage.coffer(["gateway", "token"]).args(words)).refuses(
                1,
                "tokens-broken",
                "holds no tokens",
                "mv ",
            );
        }
        run(stage.coffer(["gateway", "--listen", "127.0.0.1:0"])).refuses(
            1,
            "tokens-broken",
            "holds no tokens",
            "mv ",
        );
        assert_eq!(std::fs::read(&file).unwrap(), good[..good.len() / 2]);
        std::fs::write(&file, &good).unwrap();
        assert!(
            gateway.hears(&post(&word)).starts_with("HTTP/1.1 4")
                || !gateway.hears(&post(&word)).contains("503")
        );
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        run(stage.coffer(["gateway", "token", "list"])).refuses(
            1,
            "tokens-open",
            "not yours alone",
            "chmod 600",
        );
        gateway.ends();
    });
}
