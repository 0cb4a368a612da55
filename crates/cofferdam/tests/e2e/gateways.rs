//! The gateway: the genuine CLI signed in by what it never sees, and a sandbox that talks to whom it may.

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{LoginSpec, netns, require};

use crate::support::practice::{HOSTS, Practice};
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
                let test = concat!("gateways::", stringify!($name), "::genuine_native");
                super::with(test, super::require::claude_native(), super::scenarios::$name);
            }
            #[test]
            fn genuine_js() {
                let test = concat!("gateways::", stringify!($name), "::genuine_js");
                super::with(test, super::require::claude_js(), super::scenarios::$name);
            }
        })+
    };
}

with_both!(
    a_lease_reaches_the_api_by_its_name,
    a_key,
    an_auth_token,
    a_setup_token,
    a_helper,
    a_subscription,
    a_refusal_renews_once,
    with_the_hosts_network
);

mod scenarios {
    use super::*;

    /// The agent answers, the API has seen the real credential, and nothing inside has a byte of it.
    fn answers(practice: &Practice, variable: Option<(&str, &str)>, secret: &str, header: &str, tier: &str) {
        let flags = ["--auth", "gateway", "--network", tier];
        let equipped = |words: &[&str]| {
            let mut command = practice.run(&[&flags[..], words].concat());
            command.envs(variable);
            command
        };
        let said = run(equipped(&["--", "-p", "hi"]));
        said.ends_with(0).keeps_secret(&[secret]);
        assert!(said.text().contains("practice answer"), "{said}");
        let messages = practice.messages();
        let seen = messages.last().unwrap();
        assert_eq!(seen.credential(header), Some(fingerprint(secret).as_str()), "{seen:?}");
        let other = ["authorization", "x-api-key"].into_iter().find(|name| *name != header).unwrap();
        assert_eq!(seen.credential(other), None, "{seen:?}");
        let everything = "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; find / -xdev -newer /proc/1 -type f -size -64k \
                          -exec cat {} + 2>/dev/null; cat \"$HOME\"/.claude/* /run/coffer/lease/.* /run/coffer/lease/* 2>/dev/null; true";
        let inside = run(equipped(&["--", "sh", "-c", everything]));
        inside.ends_with(0).keeps_secret(&[secret]);
        assert!(inside.text().contains("coffer-run-"), "the word of the run is inside: {inside}");
    }

    pub(super) fn a_key(practice: &Practice) {
        let key = practice.api.add_api_key();
        answers(practice, Some(("ANTHROPIC_API_KEY", &key)), &key, "x-api-key", "agent");
    }

    pub(super) fn an_auth_token(practice: &Practice) {
        let token = practice.api.add_auth_token();
        answers(practice, Some(("ANTHROPIC_AUTH_TOKEN", &token)), &token, "authorization", "dev");
    }

    pub(super) fn a_setup_token(practice: &Practice) {
        let token = practice.api.issue_login(&LoginSpec::refreshless()).access_token;
        answers(practice, Some(("CLAUDE_CODE_OAUTH_TOKEN", &token)), &token, "authorization", "agent");
        let beta = practice.messages().pop().unwrap().beta.unwrap_or_default();
        assert!(beta.contains("oauth"), "the client says how it is signed in: {beta}");
    }

    /// Its line stands in the user's settings and is run outside; what it prints is sent in both headers.
    pub(super) fn a_helper(practice: &Practice) {
        let key = practice.api.add_api_key();
        let count = practice.stage.scratch.root().join("helped");
        let line = format!("echo >>{}; echo {key}", count.display());
        let settings = serde_json::json!({ "apiKeyHelper": line }).to_string();
        practice.stage.scratch.write_home(".claude/settings.json", &settings).unwrap();
        let said = run(practice.run(&["--auth", "gateway", "--network", "agent", "--", "-p", "hi"]));
        said.ends_with(0).keeps_secret(&[&key]);
        let seen = practice.messages().pop().unwrap();
        assert_eq!(seen.credential("x-api-key"), Some(fingerprint(&key).as_str()), "{seen:?}");
        assert_eq!(std::fs::read_to_string(count).unwrap().lines().count(), 1, "asked once, then remembered");
    }

    pub(super) fn a_subscription(practice: &Practice) {
        let login = practice.sign_in(&LoginSpec::default());
        answers(practice, None, &login.access_token, "authorization", "agent");
        let beta = practice.messages().pop().unwrap().beta.unwrap_or_default();
        assert!(beta.contains("oauth"), "the client says how it is signed in: {beta}");
    }

    /// The key changes while the agent runs; the helper is asked again, once, and the agent sees nothing of it.
    pub(super) fn a_refusal_renews_once(practice: &Practice) {
        let (old, new) = (practice.api.add_api_key(), practice.api.add_api_key());
        let file = practice.stage.scratch.root().join("key");
        std::fs::write(&file, &old).unwrap();
        let line = format!("cat {}", file.display());
        let settings = serde_json::json!({ "apiKeyHelper": line }).to_string();
        practice.stage.scratch.write_home(".claude/settings.json", &settings).unwrap();
        let flags = ["--auth", "gateway", "--network", "agent"];
        // Between the gateway's start and the agent's first request.
        let script = "echo ready; read _; exec claude -p hi";
        let mut command = practice.run(&[&flags[..], &["--", "sh", "-c", script]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        ready(child.stdout.as_mut().unwrap());
        practice.api.revoke(&old);
        std::fs::write(&file, &new).unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let refused = practice.messages().iter().filter(|one| one.status == Some(401)).count();
        assert_eq!(refused, 1);
        let seen = practice.messages().pop().unwrap();
        assert_eq!(seen.credential("x-api-key"), Some(fingerprint(&new).as_str()), "{seen:?}");
    }

    /// By a tunnel, TLS from end to end: the gateway sees the name that is greeted, and nothing else.
    pub(super) fn a_lease_reaches_the_api_by_its_name(practice: &Practice) {
        let ca = practice.stage.scratch.root().join("ca.pem");
        let api =
            coffer_testkit::FakeApi::builder().tls(([127, 0, 0, 1], 443).into()).ca_out(&ca).start().unwrap();
        let login = api.issue_login(&LoginSpec::default());
        practice
            .stage
            .scratch
            .write_home(crate::support::practice::LOGIN, &login.credentials_json())
            .unwrap();
        practice.stage.config("[upstream.hosts]\n'api.anthropic.com' = '127.0.0.1:443'\n");
        let mount = ca.display().to_string();
        for tier in ["agent", "dev", "learn"] {
            let flags = ["--network", tier, "--mount", &mount, "--env", "NODE_EXTRA_CA_CERTS"];
            let mut command = practice.run(&[&flags[..], &["--", "-p", "hi"]].concat());
            let said = run(command.env_remove("ANTHROPIC_BASE_URL").env("NODE_EXTRA_CA_CERTS", &ca));
            said.ends_with(0).keeps_secret(&[login.refresh_token.as_deref().unwrap()]);
            assert!(said.text().contains("practice answer"), "{tier}: {said}");
        }
        let messages = api.requests().into_iter().filter(|one| one.path == "/v1/messages");
        let seen: Vec<_> = messages.map(|one| one.credential("authorization").map(str::to_owned)).collect();
        assert_eq!(seen, vec![Some(fingerprint(&login.access_token)); 3]);
        let events = crate::support::record::Record::of(&practice.stage).events("gateway_decided");
        let api = |event: &&serde_json::Value| {
            event["host"] == "api.anthropic.com" && event["verdict"] == "allowed"
        };
        assert!(events.iter().filter(api).count() >= 3, "{events:?}");
    }

    pub(super) fn with_the_hosts_network(practice: &Practice) {
        let key = practice.api.add_api_key();
        answers(practice, Some(("ANTHROPIC_API_KEY", &key)), &key, "x-api-key", "full");
    }
}

/// A program that asks by a proxy, in the shell: `say HOST:PORT 'REQUEST'`.
const SAY: &str = r#"say() { exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "$2" >&3; cat <&3; exec 3>&-; }; "#;

/// A service of the host that says who it is to everybody who asks.
fn service(words: &'static str) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut buffer);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{words}",
                words.len()
            );
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    port
}

#[test]
fn a_sandbox_reaches_whom_it_may_and_nobody_else() {
    if !sandboxes() || !netns::inside("gateways::a_sandbox_reaches_whom_it_may_and_nobody_else", &HOSTS) {
        return;
    }
    let stage = Stage::new();
    let (granted, other) = (service("granted"), service("other"));
    stage.config(&format!("[upstream.hosts]\n'api.example.org' = '127.0.0.1:{granted}'\n"));
    let get = |host: &str| {
        format!(
            "say 3128 'GET http://{host}/ HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n'; echo; "
        )
    };
    let script = [
        SAY.to_owned(),
        get("api.example.org"),
        get("other.example.org"),
        get(&format!("127.0.0.1:{granted}")),
        get(&format!("127.0.0.1:{other}")),
        format!("say {other} x 2>&1; say 8377 x 2>&1; "),
    ];
    let allowed = format!("127.0.0.1:{granted}");
    let flags = ["--auth", "none", "--network", "dev", "--allow", "api.example.org:80", "--allow", &allowed];
    let inside = run(stage.run(flags).args(["--", "bash", "-c", &format!("{}true", script.concat())]));
    inside.ends_with(0);
    let text = inside.text();
    assert_eq!(text.matches("\ngranted").count(), 2, "{inside}");
    assert_eq!(text.matches("403 Forbidden").count(), 2, "{inside}");
    assert!(!text.contains("\nother"), "{inside}");
    assert_eq!(text.matches("/dev/tcp/127.0.0.1/").count(), 2, "{inside}");
    // Said once more at the end, with what would let them through.
    assert!(inside.stderr.contains("coffer allow 127.0.0.1:"), "{inside}");
    assert!(inside.stderr.contains("other.example.org:80"), "{inside}");
    let record = crate::support::record::Record::of(&stage).events("gateway_decided");
    let verdicts: Vec<&str> = record.iter().map(|event| event["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == "allowed").count(), 2, "{record:?}");
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == "denied").count(), 2, "{record:?}");
}

#[test]
fn a_live_run_reaches_a_host_as_soon_as_it_is_allowed() {
    if !sandboxes() || !netns::inside("gateways::a_live_run_reaches_a_host_as_soon_as_it_is_allowed", &HOSTS)
    {
        return;
    }
    let stage = Stage::new();
    let host = format!("127.0.0.1:{}", service("late"));
    let get = format!(
        "say 3128 'GET http://{host}/ HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n'; echo; "
    );
    let script = format!("{SAY} {get} echo ready >&2; read _; {get}");
    let mut command = stage.run(["--auth", "none", "--network", "dev", "--", "bash", "-c", &script]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ready(child.stderr.as_mut().unwrap());
    let runs = crate::support::record::Record::of(&stage).events("run_started");
    let id = runs[0]["run"].as_str().unwrap();
    run(stage.coffer(["allow", "--run", "nowhere", &host])).refuses(2, "no-such-run", "nowhere", "coffer");
    run(stage.coffer(["allow", "--run", id, &host])).ends_with(0);
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    let (denied, granted) = (text.find("403 Forbidden").unwrap(), text.find("\nlate").unwrap());
    assert!(denied < granted, "{text}");
    // The next run has it from the file, and the file says who said so.
    let why = run(stage.coffer(["why", "host", &host, "--network", "dev"]));
    assert!(why.ends_with(0).text().contains("config.toml: allow"), "{why}");
}

#[test]
fn learning_lists_who_was_reached() {
    if !sandboxes() || !netns::inside("gateways::learning_lists_who_was_reached", &HOSTS) {
        return;
    }
    let stage = Stage::new();
    let port = service("learned");
    stage.config(&format!("[upstream.hosts]\n'api.example.org' = '127.0.0.1:{port}'\n"));
    let get = "say 3128 'GET http://api.example.org/ HTTP/1.1\\r\\nHost: api.example.org\\r\\nConnection: close\\r\\n\\r\\n'";
    let mut command = stage.coffer(["learn", "--yes", "--auth", "none", "--", "bash", "-c"]);
    let learned = run(command.arg(format!("{SAY} {get}")));
    assert!(learned.ends_with(0).text().contains("learned"), "{learned}");
    assert!(learned.stderr.contains("hint: `coffer allow api.example.org:80`"), "{learned}");
    // What is near is not opened by learning.
    let near = format!("127.0.0.1:{port}");
    let get = format!(
        "say 3128 'GET http://{near}/ HTTP/1.1\\r\\nHost: {near}\\r\\nConnection: close\\r\\n\\r\\n'"
    );
    let mut command = stage.coffer(["learn", "--yes", "--auth", "none", "--", "bash", "-c"]);
    let learned = run(command.arg(format!("{SAY} {get}")));
    assert!(learned.ends_with(0).text().contains("403 Forbidden"), "{learned}");
}

#[test]
fn services_cross_in_both_ways_by_their_ports() {
    if !sandboxes() || !netns::inside("gateways::services_cross_in_both_ways_by_their_ports", &HOSTS) {
        return;
    }
    let stage = Stage::new();
    let port = service("of the host").to_string();
    let ask = format!("{SAY} say {port} 'x\\r\\n\\r\\n'");
    for tier in ["none", "agent", "dev", "learn"] {
        let flags = ["--auth", "none", "--network", tier, "--forward", &port];
        let inside = run(stage.run(flags).args(["--", "bash", "-c", &ask]));
        assert!(inside.ends_with(0).text().contains("of the host"), "{tier}: {inside}");
        // Without the flag nobody is there.
        let without = run(stage.run(["--auth", "none", "--network", tier, "--", "bash", "-c", &ask]));
        assert!(!without.text().contains("of the host"), "{tier}: {without}");
    }
    // A port of the host that is taken is told before anything starts.
    let publish = format!("{port}:3000");
    let taken = run(stage.run(["--auth", "none", "--network", "dev", "--publish", &publish, "--", "true"]));
    taken.refuses(125, "gateway", "cannot publish on port", "--publish");
}

#[test]
fn whoever_ends_the_gateway_ends_the_way_out_and_nothing_else() {
    if !sandboxes()
        || !netns::inside("gateways::whoever_ends_the_gateway_ends_the_way_out_and_nothing_else", &HOSTS)
    {
        return;
    }
    let stage = Stage::new();
    let script = format!("{SAY} echo ready; read _; say 3128 x 2>&1; echo still here");
    let mut command = stage.run(["--auth", "none", "--network", "dev", "--", "bash", "-c", &script]);
    let pipe = Stdio::piped;
    let mut child = command.stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    ready(&mut output);
    let gateway = gateway_of(child.id());
    let process = rustix::process::pidfd_open(gateway, rustix::process::PidfdFlags::empty()).unwrap();
    rustix::process::kill_process(gateway, rustix::process::Signal::KILL).unwrap();
    let mut waits = [rustix::event::PollFd::new(&process, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut waits, None).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"\n").unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(rest.contains("Connection refused") && rest.contains("still here"), "{rest}");
    assert!(ended.status.success(), "the agent's own end counts: {ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("error[gateway-lost]"), "{ended:?}");
}

/// Waits for the line `ready`.
pub(crate) fn ready(output: &mut impl Read) {
    let mut line = [0; 6];
    output.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"ready\n");
}

/// The child of a process that is a gateway.
fn gateway_of(parent: u32) -> rustix::process::Pid {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let is_gateway = |pid: &&str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"gateway-of-run")
    };
    let pid = children.split_whitespace().find(is_gateway).unwrap();
    rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap()
}
