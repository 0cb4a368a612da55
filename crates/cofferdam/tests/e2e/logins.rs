//! `coffer login` and `coffer account import`: what a sign-in left is an account's, or nothing changed.
//!
//! The genuine CLI signs in at the practice page of a namespace that has nothing but loopback.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_account::layout::AccountFolder;
use coffer_account::pending;
use coffer_account::seal::Seal;
use coffer_account::secret::Secret;
use coffer_testkit::{FakeApi, LoginSpec, netns, require};
use rustix::process::Signal;

use crate::support::practice::HOSTS;
use crate::support::screen::Person;
use crate::support::tree::files_with;
use crate::support::{PATH, Stage, run, run_with_input, sandboxes};

const ACCESS: &str = "sk-ant-oat01-FAKE-import";
const REFRESH: &str = "sk-ant-ort01-FAKE-import";

/// A login file of our making, good for years.
fn made_up(word: &str) -> String {
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{ACCESS}-{word}","refreshToken":"{REFRESH}-{word}",
        "expiresAt":9999999999999,"scopes":["user:inference","user:profile"],"subscriptionType":"max","odd":[1]}},"new":1}}"#
    )
}

fn login_of(stage: &Stage, account: &str) -> PathBuf {
    stage.data().join("accounts").join(account).join("login/store/.credentials.json")
}

#[test]
fn a_login_file_a_folder_and_stdin_become_accounts_and_are_replaced_sealed() {
    let stage = Stage::new();
    let file = stage.scratch.write_home("elsewhere/login.json", &made_up("file")).unwrap();
    let import = |from: &str| run(stage.coffer(["account", "import", "work", from]));
    let done = import(file.to_str().unwrap());
    done.ends_with(0).keeps_secret(&[ACCESS, REFRESH]);
    for words in
        ["max", "user:inference", "sha256:", "whoever refreshes first wins", "coffer run --account work"]
    {
        assert!(done.stderr.contains(words), "{words}: {done}");
    }
    assert_eq!(std::fs::read_to_string(login_of(&stage, "work")).unwrap(), made_up("file"), "byte for byte");
    let folder = stage.data().join("accounts/work");
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(folder.join("login/store/.credentials.json")), 0o600);
    assert_eq!(
        (mode(folder.clone()), mode(folder.join("login")), mode(folder.join("login/store"))),
        (0o700, 0o700, 0o700)
    );

    // A home of another machine: the state, and the file beside it.
    stage.scratch.write_home("volume/.claude/.credentials.json", &made_up("folder")).unwrap();
    stage.scratch.write_home("volume/.claude/projects/-w/t.jsonl", "{}").unwrap();
    let person = r#"{"oauthAccount":{"emailAddress":"person@example.test"}}"#;
    stage.scratch.write_home("volume/.claude.json", person).unwrap();
    let volume = stage.home().join("volume");
    symlink("/etc/passwd", volume.join(".claude/link")).unwrap();
    let done = import(volume.to_str().unwrap());
    done.ends_with(0).keeps_secret(&[ACCESS, REFRESH]);
    for words in ["person@example.test", "sealed copy", "left out", "`link`: a symbolic link"] {
        assert!(done.stderr.contains(words), "{words}: {done}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("state/.claude.json")).unwrap(), person);
    assert!(
        folder.join("state/projects/-w/t.jsonl").exists() && !folder.join("state/.credentials.json").exists()
    );
    assert_eq!(std::fs::read_dir(folder.join("sealed")).unwrap().count(), 1);

    let stdin = made_up("stdin");
    let done = run_with_input(&mut stage.coffer(["account", "import", "work", "-"]), stdin.as_bytes());
    done.ends_with(0).keeps_secret(&[ACCESS, REFRESH]);
    assert_eq!(std::fs::read_to_string(login_of(&stage, "work")).unwrap(), stdin);
    assert!(folder.join("state/.claude.json").exists(), "a login alone leaves the state");
    // No token lies anywhere but in login folders and where the test put it.
    for word in ["file", "folder", "stdin"] {
        for found in files_with(&stage.data(), &format!("{REFRESH}-{word}")) {
            assert_eq!((found, word), (login_of(&stage, "work"), "stdin"));
        }
    }
    let ledger = run(stage.coffer(["ledger", "show"]));
    assert_eq!(ledger.text().matches("import").count(), 3, "{ledger}");
}

#[test]
fn two_accounts_never_have_one_login() {
    let stage = Stage::new();
    let file = stage.scratch.write_home("elsewhere/.credentials.json", &made_up("import")).unwrap();
    let import = |account: &str| run(stage.coffer(["account", "import", account, file.to_str().unwrap()]));
    import("work").ends_with(0);
    let hint = "`coffer account rename work other`";
    import("other")
        .refuses(1, "login-elsewhere", "the account `work`", hint)
        .keeps_secret(&[ACCESS, REFRESH]);
    let accounts = stage.data().join("accounts");
    assert_eq!(files_with(&accounts, REFRESH), [login_of(&stage, "work")], "nothing of it stays");
    // Its own it may have again, and another one's that is gone.
    import("work").ends_with(0);
    run(stage.coffer(["account", "remove", "work", "--yes"])).ends_with(0);
    import("other").ends_with(0);
}

#[test]
fn what_cannot_be_kept_is_refused_and_changes_nothing() {
    let stage = Stage::new();
    let file = stage.scratch.write_home("login.json", &made_up("good")).unwrap();
    let import = |from: &Path| run(stage.coffer(["account", "import", "work", from.to_str().unwrap()]));
    import(&file).ends_with(0);
    let before = std::fs::read(login_of(&stage, "work")).unwrap();
    let lease = made_up("x").replace("refreshToken", "none");
    for (content, code, words) in [
        ("", "capture-unfit", "empty"),
        ("{\"CANARY\"", "capture-unfit", "JSON"),
        (lease.as_str(), "capture-unfit", "no refresh token"),
        (&made_up("x").replace("user:inference", "user:nothing"), "capture-unfit", "user:inference"),
    ] {
        let bad = stage.scratch.write_home("bad.json", content).unwrap();
        import(&bad).refuses(3, code, words, "coffer login").keeps_secret(&[ACCESS, REFRESH, "CANARY"]);
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        stage.home().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    import(&stage.home().join("pipe")).refuses(1, "import", "no plain file", "");
    import(&stage.home().join("gone")).refuses(1, "import", "gone", "");
    run(stage.coffer(["account", "import", "host", "x"])).refuses(
        2,
        "host-account",
        "your own login",
        "auth login",
    );
    run(stage.coffer(["account", "import", "No Name", "x"])).refuses(2, "account-name", "No Name", "");
    run(stage.coffer(["account", "import", "work", "--pending"])).refuses(
        3,
        "nothing-pending",
        "waits",
        "coffer login",
    );
    assert_eq!(std::fs::read(login_of(&stage, "work")).unwrap(), before);
}

#[test]
fn a_sign_in_that_waits_is_adopted_by_its_word_and_waits_no_longer() {
    let stage = Stage::new();
    let file = stage.scratch.write_home("login.json", &made_up("old")).unwrap();
    run(stage.coffer(["account", "import", "work", file.to_str().unwrap()])).ends_with(0);
    waits(&stage, "work", "inside");
    run(stage.coffer(["account", "import", "work", "--pending"]))
        .ends_with(0)
        .keeps_secret(&[ACCESS, REFRESH]);
    assert_eq!(std::fs::read_to_string(login_of(&stage, "work")).unwrap(), made_up("inside"));
    let left = std::fs::read_dir(stage.data().join("accounts/work/pending")).unwrap();
    assert_eq!(left.count(), 0);
    // One that was made in a run with the user's own account comes over, and is not in two places then.
    let of_host = waits(&stage, "host", "elsewhere");
    assert!(files_with(&stage.data(), "elsewhere").is_empty(), "it waits sealed");
    run(stage.coffer(["account", "import", "work", of_host.to_str().unwrap()])).ends_with(0);
    assert_eq!(std::fs::read_to_string(login_of(&stage, "work")).unwrap(), made_up("elsewhere"));
    assert!(!of_host.exists());
    // Without the identity it waits on: nothing is taken for a login that is none, and nothing goes.
    let waiting = waits(&stage, "work", "shut");
    let identity = stage.data().join("seal/identity");
    std::fs::rename(&identity, identity.with_extension("away")).unwrap();
    let refused = run(stage.coffer(["account", "import", "work", "--pending"]));
    assert_eq!(refused.code, Some(1), "{refused}");
    refused.keeps_secret(&[ACCESS, REFRESH]);
    assert!(waiting.exists());
    std::fs::rename(identity.with_extension("away"), &identity).unwrap();
    run(stage.coffer(["account", "import", "work", "--pending"])).ends_with(0);
    assert!(!waiting.exists());
}

/// A sign-in of our making waits for an account, as a run leaves it.
fn waits(stage: &Stage, account: &str, word: &str) -> PathBuf {
    let data = camino::Utf8PathBuf::from_path_buf(stage.data()).unwrap();
    let folder = AccountFolder::new(&data, &account.parse().unwrap());
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    let login = Secret::new(made_up(word).into_bytes());
    pending::keep(&folder, &seal, &login, "sha256:aaaaaaaaaaaa").unwrap().into_std_path_buf()
}

/// A stage whose sandboxes reach the practice API by its real names.
struct SignIn {
    stage: Stage,
    api: FakeApi,
    path: String,
    ca: PathBuf,
}

impl SignIn {
    fn new(claude: &Path) -> Self {
        let stage = Stage::new();
        let ca = stage.home().join("ca/ca.pem");
        std::fs::create_dir(ca.parent().unwrap()).unwrap();
        let api =
            FakeApi::builder().tls(SocketAddr::from(([127, 0, 0, 1], 443))).ca_out(&ca).start().unwrap();
        let folder = claude.parent().unwrap();
        let path = format!("{}:{}:{PATH}", stage.home().join("bin").display(), folder.display());
        let ca_folder = ca.parent().unwrap().display();
        // No sandbox may reach a loopback by a name, unless the user says what the name means.
        stage.config(&format!(
            "[env]\npass = [\"NODE_EXTRA_CA_CERTS\"]\n[[mount]]\nsource = \"{ca_folder}\"\n\
             [upstream.hosts]\n\"api.anthropic.com\" = \"127.0.0.1:443\"\n"
        ));
        Self { stage, api, path, ca }
    }

    /// The agent's data file with a program of ours, which calls the genuine one and stays.
    fn that_stays(self, claude: &Path) -> Self {
        let config = self.stage.home().join(".config/cofferdam/config.toml");
        let tools = claude.parent().unwrap().parent().unwrap().parent().unwrap().display();
        let config = std::fs::read_to_string(config).unwrap();
        self.stage.config(&format!("{config}[[mount]]\nsource = \"{tools}\"\n"));
        let own = include_str!("../../../coffer-plan/agents/claude.toml");
        let own = own.replace("command = [\"claude\"]", "command = [\"claude-and-stay\"]");
        self.stage.scratch.write_home(".config/cofferdam/agents/claude.toml", &own).unwrap();
        let script = "#!/bin/sh\nclaude \"$@\"\necho and stays\nexec sleep 1000\n";
        let program = self.stage.scratch.write_home("bin/claude-and-stay", script).unwrap();
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
        self
    }

    /// With a browser inside that goes where it is sent, and follows.
    fn with_a_browser(self, curl: &Path) -> Self {
        let visit = format!("#!/bin/sh\nexec {} -sL --cacert {} \"$1\"\n", curl.display(), self.ca.display());
        let browser = self.stage.scratch.write_home("ca/browser", &visit).unwrap();
        std::fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
        let config = self.stage.home().join(".config/cofferdam/config.toml");
        let config = std::fs::read_to_string(config).unwrap();
        let set = format!("[env]\nset = {{ BROWSER = \"{}\" }}", browser.display());
        self.stage.config(&config.replace("[env]", &set));
        self
    }

    fn equip(&self, mut command: Command) -> Command {
        command.env("PATH", &self.path).env("NODE_EXTRA_CA_CERTS", &self.ca);
        command
    }

    /// `coffer login --account work` at a terminal, up to the question for the code; and the code.
    fn begins(&self, words: &[&str]) -> (Person, String) {
        let login = self.stage.coffer(["login", "--account", "work"].iter().chain(words));
        let mut person = Person::starts(self.equip(login));
        person.sees(&["Paste code here if prompted"]);
        let seen = person.squeezed();
        let (_, rest) = seen.split_once("/oauth/authorize?z-").unwrap();
        // Base64url of a SHA-256.
        let code = self.api.issue_code(LoginSpec::default(), Some(&rest[..43]));
        (person, format!("{code}#practice\r"))
    }

    fn login(&self) -> PathBuf {
        login_of(&self.stage, "work")
    }

    /// `coffer run --account work -- -p hi` is answered.
    fn answers(&self) {
        let run_it = self.stage.run(["--account", "work", "--", "-p", "hi"]);
        run(self.equip(run_it)).prints("practice answer: hi\n");
    }

    /// The texts of the login that nobody else may have.
    fn tokens(&self) -> Vec<String> {
        let login: serde_json::Value = serde_json::from_slice(&std::fs::read(self.login()).unwrap()).unwrap();
        ["accessToken", "refreshToken"]
            .map(|key| login["claudeAiOauth"][key].as_str().unwrap().to_owned())
            .to_vec()
    }
}

fn with(test: &str, scenario: impl Fn(&Path)) {
    with_cli(test, require::claude_native(), scenario);
}

fn with_cli(test: &str, claude: Option<PathBuf>, scenario: impl Fn(&Path)) {
    let Some(claude) = claude else { return };
    if sandboxes() && netns::inside(test, &HOSTS) {
        scenario(&claude);
    }
}

#[test]
fn genuine_a_pasted_code_signs_in_and_the_account_answers() {
    with("logins::genuine_a_pasted_code_signs_in_and_the_account_answers", |claude| {
        let ground = SignIn::new(claude);
        let log = ground.stage.home().join("sign-in.log");
        let (person, code) = ground.begins(&["--debug-log", log.to_str().unwrap()]);
        person.types(&code);
        let (status, seen) = person.waits();
        assert!(status.success(), "{seen}");
        for words in ["Account`work`issignedin", "subscription", "sha256:"] {
            assert!(seen.contains(words), "{words}: {seen}");
        }
        let tokens = ground.tokens();
        let debug = std::fs::read_to_string(&log).unwrap();
        assert!(debug.contains("the agent's own log"), "{debug}");
        for token in &tokens {
            assert!(token.contains("FAKE") && !seen.contains(token) && !debug.contains(token), "{token}");
            assert_eq!(files_with(&ground.stage.home(), token), [ground.login()]);
        }
        assert!(!debug.contains(code.trim_end().split('#').next().unwrap()), "{debug}");
        let state = ground.stage.data().join("accounts/work/state");
        assert!(state.join(".claude.json").exists() && !state.join("coffer-sign-in.log").exists());
        ground.answers();
    });
}

fn signs_in_with_a_browser(test: &str, claude: Option<PathBuf>) {
    let Some(curl) = require::program("curl") else { return };
    with_cli(test, claude, |claude| {
        let ground = SignIn::new(claude).with_a_browser(&curl);
        let login = ground.stage.coffer(["login", "--account", "work"]);
        let (status, seen) = Person::starts(ground.equip(login)).waits();
        assert!(status.success() && seen.contains("Account`work`issignedin"), "{seen}");
        for token in ground.tokens() {
            assert!(token.contains("FAKE") && !seen.contains(&token), "{token}");
            assert_eq!(files_with(&ground.stage.home(), &token), [ground.login()]);
        }
        ground.answers();
    });
}

#[test]
fn genuine_a_browser_signs_in_native() {
    let test = "logins::genuine_a_browser_signs_in_native";
    signs_in_with_a_browser(test, require::claude_native());
}

#[test]
fn genuine_a_browser_signs_in_js() {
    signs_in_with_a_browser("logins::genuine_a_browser_signs_in_js", require::claude_js());
}

/// A way to end a sign-in.
#[derive(Debug, Clone, Copy)]
enum End {
    CtrlC,
    Terminate,
    HangUp,
    WindowClosed,
}

const ENDS: [End; 4] = [End::CtrlC, End::Terminate, End::HangUp, End::WindowClosed];

fn ends(person: Person, end: End) {
    match end {
        End::CtrlC => {
            person.types("\x03");
            person.waits();
        }
        End::Terminate => {
            person.signals(Signal::TERM);
            person.waits();
        }
        End::HangUp => {
            person.signals(Signal::HUP);
            person.waits();
        }
        End::WindowClosed => person.leaves(),
    }
}

#[test]
fn genuine_a_sign_in_that_ends_early_changes_nothing() {
    with("logins::genuine_a_sign_in_that_ends_early_changes_nothing", |claude| {
        for end in ENDS {
            let ground = SignIn::new(claude);
            let file = ground.stage.scratch.write_home("old.json", &made_up("old")).unwrap();
            run(ground.stage.coffer(["account", "import", "work", file.to_str().unwrap()])).ends_with(0);
            let (person, _) = ground.begins(&[]);
            ends(person, end);
            assert_eq!(std::fs::read_to_string(ground.login()).unwrap(), made_up("old"), "{end:?}");
            assert!(!ground.stage.data().join("accounts/work/adoption").exists(), "{end:?}");
        }
    });
}

#[test]
fn genuine_a_sign_in_is_adopted_however_the_run_ends_then() {
    with("logins::genuine_a_sign_in_is_adopted_however_the_run_ends_then", |claude| {
        for end in ENDS {
            let ground = SignIn::new(claude).that_stays(claude);
            let (mut person, code) = ground.begins(&[]);
            person.types(&code);
            person.sees(&["and stays"]);
            assert!(!ground.login().exists(), "{end:?}: nothing is adopted while it runs");
            ends(person, end);
            let tokens = ground.tokens();
            assert!(tokens.iter().all(|token| token.contains("FAKE")), "{end:?}");
        }
    });
}

/// As in the keeper's container, where no sandbox can be made.
#[test]
fn genuine_without_a_sandbox_a_sign_in_is_adopted_and_an_early_end_changes_nothing() {
    let test = "logins::genuine_without_a_sandbox_a_sign_in_is_adopted_and_an_early_end_changes_nothing";
    with(test, |claude| {
        for end in ENDS {
            let ground = SignIn::new(claude);
            let file = ground.stage.scratch.write_home("old.json", &made_up("old")).unwrap();
            run(ground.stage.coffer(["account", "import", "work", file.to_str().unwrap()])).ends_with(0);
            let (person, _) = ground.begins(&["--unsandboxed"]);
            ends(person, end);
            assert_eq!(std::fs::read_to_string(ground.login()).unwrap(), made_up("old"), "{end:?}");
        }
        let ground = SignIn::new(claude);
        let (person, code) = ground.begins(&["--unsandboxed"]);
        person.types(&code);
        let (status, seen) = person.waits();
        assert!(status.success() && seen.contains("Account`work`issignedin"), "{seen}");
        for token in ground.tokens() {
            assert!(token.contains("FAKE") && !seen.contains(&token), "{token}");
            assert_eq!(
                files_with(ground.stage.scratch.root(), &token),
                [ground.login()],
                "nothing else is left"
            );
        }
        ground.answers();
    });
}
