//! `coffer init`: the generated files, built and started for real by docker-compose, with the genuine CLI in them.
//!
//! The base image plays the registries: its `apt-get` installs nothing, and its `npm` finds the CLI in a mounted folder.
//! Nothing has a network, not even the keeper: the practice API is behind a socket.

mod files;
mod ground;
mod keeper;
mod podman;
mod python;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{LoginSpec, require};

use crate::support::run;
use crate::support::screen::Person;
use ground::Ground;

/// Signs in to an account, as a person does, while everything is up.
fn signs_in(ground: &Ground, account: &str, spec: LoginSpec) {
    let words = ["exec", "keeper", "coffer", "login", "--unsandboxed", "--account", account];
    let mut person = Person::starts(ground.compose(&words));
    person.sees(&["Paste code here if prompted"]);
    let seen = person.squeezed();
    let (_, rest) = seen.split_once("/oauth/authorize?z-").unwrap();
    // Base64url of a SHA-256.
    let code = ground.api.issue_code(spec, Some(&rest[..43]));
    person.types(&format!("{code}#practice\r"));
    let (status, seen) = person.waits();
    assert!(status.success() && seen.contains(&format!("Account`{account}`issignedin")), "{seen}");
}

#[test]
fn genuine_several_services_share_an_account_that_none_of_them_has() {
    let Some(ground) = Ground::new("shared", &["compose", "--service", "one", "--service", "two"]) else {
        return;
    };
    ground.is_up();
    // What starts before somebody has signed in waits for that.
    assert!(ground.logs("one").contains("waits for the keeper"), "{}", ground.logs("one"));
    signs_in(&ground, "main", LoginSpec::default());
    let ids = ground.ids();
    for service in ["one", "two"] {
        ground.answers(service);
    }
    let first = ground.login("main");
    no_credential_in(&ground, &["one", "two"], &first);
    // A person's first start asks for no sign-in and no theme, and leaves the trust in a folder to them.
    let mut person = Person::starts(ground.compose(&["exec", "one", "coffer", "enter", "claude"]));
    assert_eq!(person.sees(&["trust", "theme", "Select login method"]), "trust");
    person.leaves();
    // Renewed by a person while everything is up, without a restart.
    signs_in(&ground, "main", LoginSpec::default());
    let second = ground.login("main");
    assert_ne!(first[0], second[0]);
    ground.answers("one");
    let shown = ground.messages().pop().unwrap().credential("authorization").map(str::to_owned);
    assert_eq!(shown, Some(fingerprint(&second[0])), "the new login is what is used");
    assert_eq!(ground.ids(), ids, "nothing was started again");
    // The keeper goes and comes; services go on, with what they have.
    run(ground.compose(&["restart", "keeper"])).ends_with(0);
    ground.answers("one");
    assert_eq!(ground.login("main"), second, "the login is still good");
    ground.ends();
}

#[test]
fn genuine_a_login_that_is_due_is_renewed_by_the_keeper_once() {
    let Some(ground) = Ground::new("due", &["compose", "--service", "one"]) else { return };
    ground.is_up();
    signs_in(&ground, "main", LoginSpec { expires_in: 120, ..LoginSpec::default() });
    ground.answers("one");
    assert_eq!(ground.refreshes(), 1, "{:?}", ground.requests());
    ground.answers("one");
    assert_eq!(ground.refreshes(), 1);
    ground.ends();
}

#[test]
fn genuine_isolated_services_have_an_account_each() {
    let words = ["compose", "--variant", "isolated", "--service", "one", "--service", "two"];
    let Some(ground) = Ground::new("isolated", &words) else { return };
    ground.is_up();
    let keys: Vec<String> = ["one", "two"].iter().map(|account| ground.key_account(account)).collect();
    for (service, key) in ["one", "two"].into_iter().zip(&keys) {
        ground.answers(service);
        let seen = ground.messages().pop().unwrap();
        assert_eq!(seen.credential("x-api-key"), Some(fingerprint(key).as_str()), "{seen:?}");
    }
    no_credential_in(&ground, &["one", "two"], &keys);
    ground.ends();
}

#[test]
fn genuine_projects_have_a_service_each_and_read_what_they_may() {
    let words = ["compose", "--project", "site", "--project", "docs:ro"];
    let Some(ground) = Ground::new("projects", &words) else { return };
    ground.is_up();
    let key = ground.key_account("main");
    ground.answers("site");
    let script = "pwd; cat /projects/docs/page; echo mine >made; if touch /projects/docs/x 2>/dev/null; then echo written; fi; \
                  ls /run/coffer /projects; grep -c : /proc/net/dev; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status; touch /x";
    let ran = run(ground.compose(&["exec", "-T", "site", "sh", "-c", script]));
    let text = ran.text();
    for line in ["/projects/site\n", "a page\n", "\n1\n", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(text.contains(line), "{line:?}: {ran}");
    }
    assert!(!text.contains("written") && ran.code != Some(0), "{ran}");
    // As whom the files were made for.
    let made = std::os::unix::fs::MetadataExt::uid(&ground.project("site").join("made").metadata().unwrap());
    assert_eq!(made, 1000);
    no_credential_in(&ground, &["site"], &[key]);
    ground.ends();
}

#[test]
fn genuine_a_development_container_is_signed_in_also_in_a_login_shell() {
    let Some(ground) = Ground::new("devcontainer", &["devcontainer"]) else { return };
    ground.is_up();
    let key = ground.key_account("main");
    let service = ground.services().remove(0);
    ground.answers(&service);
    // A terminal of an editor's: nothing but a shell, in the project.
    let folder = format!("/projects/{service}");
    let words = ["exec", "-T", "--workdir", &folder, &service, "sh", "-lc", "claude -p hi && ls -a"];
    let said = run(ground.compose(&words));
    assert!(said.ends_with(0).text().contains("practice answer"), "{said}");
    assert!(said.text().contains(".devcontainer"), "{said}");
    // What would be started next time is only read.
    let change = format!("cd {folder}; touch mine && ! touch .devcontainer/x && ! mv .devcontainer y");
    run(ground.compose(&["exec", "-T", &service, "sh", "-c", &change])).ends_with(0);
    no_credential_in(&ground, &[&service], &[key]);
    ground.ends();
}

/// As an editor does it.
#[test]
fn genuine_a_development_container_is_opened_by_the_reference_program() {
    let Some(program) = require::devcontainers() else { return };
    let Some(ground) = Ground::new("opened", &["devcontainer"]) else { return };
    let project = ground.folder().parent().unwrap().to_owned();
    // The account is there before: an editor waits for no sign-in.
    run(ground.compose(&["up", "--detach", "--no-build", "keeper"])).ends_with(0);
    ground.key_account("main");
    let config = ground.folder().join("devcontainer.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let both = r#"["compose.yaml", "override.yaml"]"#;
    std::fs::write(&config, text.replace(r#""compose.yaml""#, both)).unwrap();
    let call = |words: &[&str]| {
        let node = std::env::var_os("COFFER_TEST_NODE").unwrap_or_else(|| "node".into());
        let mut command = ground.equipped(node.as_ref());
        command
            .arg(&program)
            .arg(words[0])
            .arg("--workspace-folder")
            .arg(&project)
            .args(["--docker-compose-path", "docker-compose"]);
        run(command.args(&words[1..]))
    };
    let up = call(&["up", "--buildkit", "never"]);
    up.ends_with(0);
    let said = call(&["exec", "sh", "-c", "pwd; id -u; claude -p hi"]);
    let service = ground.services().remove(0);
    said.prints(&format!("/projects/{service}\n1000\npractice answer: hi\n"));
    ground.ends();
}

#[test]
fn a_command_in_a_service_has_its_signals_and_its_exit_code() {
    let Some(ground) = Ground::new("codes", &["compose", "--service", "one"]) else { return };
    ground.is_up();
    ground.key_account("main");
    let within = |script: &str| {
        let words = ["run", "--rm", "--no-deps", "-T", "one", "sh", "-c", script];
        run(ground.compose(&words))
    };
    within("exit 7").ends_with(7);
    within("kill -TERM $$").ends_with(143);
    run(ground.compose(&["exec", "-T", "one", "coffer", "enter", "no-such-program"])).ends_with(127);
    // The first process takes in what nobody waits for, and hands on what ends it.
    let orphans = "sh -c 'sh -c \"exit 0\" & exit 0'; while ps -o stat | grep -q Z; do :; done; echo clean";
    let ran = within(orphans);
    assert!(ran.ends_with(0).text().contains("clean"), "{ran}");
    let stopped = run(ground.compose(&["stop", "--timeout", "60", "one"]));
    stopped.ends_with(0);
    assert_eq!(ground.inspected("one", "{{.State.ExitCode}}"), "143", "it was told, and not killed");
    ground.ends();
}

/// No byte of these is in a service: in its files, in the environment of its processes, or in what the engine keeps;
/// and what stands for them behind the door is of no use anywhere else.
fn no_credential_in(ground: &Ground, services: &[&str], secrets: &[String]) {
    for service in services {
        // The search finds what is there.
        let control = found_in(ground, service, &["coffer-token-".to_owned()]);
        assert!(control.contains(&"/run/coffer/environment".to_owned()), "{service}: {control:?}");
        assert_eq!(found_in(ground, service, secrets), Vec::<String>::new(), "{service}");
        let kept = ground.inspected(service, "{{json .}}");
        let holds = secrets.iter().any(|secret| kept.contains(secret)) || kept.contains("coffer-token-");
        assert!(!holds, "{kept}");
    }
    let config = run(ground.compose(&["config"])).text();
    let holds = secrets.iter().any(|secret| config.contains(secret)) || config.contains("coffer-token-");
    assert!(!holds, "{config}");
}

/// Files of a service that hold one of these words, the environment of its processes among them.
fn found_in(ground: &Ground, service: &str, secrets: &[String]) -> Vec<String> {
    let look = "for word in \"$@\"; do grep -rlF -D skip --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev \
                --exclude-dir=genuine -- \"$word\" /; grep -lF -- \"$word\" /proc/[0-9]*/environ /proc/[0-9]*/cmdline; \
                done 2>/dev/null; true";
    let words = ["exec", "-T", service, "sh", "-c", look, "sh"];
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let found = run(ground.compose(&[&words[..], &secrets].concat())).ends_with(0).text();
    // The search itself has the words on its command line, and so has the shell that it is in.
    found.lines().filter(|line| !line.ends_with("/cmdline")).map(str::to_owned).collect()
}
