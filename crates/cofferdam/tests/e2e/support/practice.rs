//! The genuine CLI on a stage, with a practice API to talk to.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use coffer_testkit::engine::Engine;
use coffer_testkit::{FakeApi, IssuedLogin, LoginSpec, RequestRecord};

use super::{PATH, Ran, Stage, run};

/// The names that must lead nowhere but to this machine.
pub(crate) const HOSTS: [&str; 5] =
    ["api.anthropic.com", "platform.claude.com", "console.anthropic.com", "claude.com", "claude.ai"];

/// Where the host keeps its login.
pub(crate) const LOGIN: &str = ".claude/.credentials.json";

/// A stage, an API, and the genuine CLI first on the PATH.
pub(crate) struct Practice {
    pub(crate) stage: Stage,
    pub(crate) api: FakeApi,
    path: String,
    /// What leads to a container engine.
    engine: Vec<(OsString, OsString)>,
}

impl Practice {
    pub(crate) fn new(stage: Stage, claude: &Path) -> Self {
        Self::with(stage, claude, FakeApi::builder().start().unwrap())
    }

    /// With an API of the test's own.
    pub(crate) fn with(stage: Stage, claude: &Path, api: FakeApi) -> Self {
        let folder = claude.parent().unwrap().display();
        // The `cli.js` build is run by the `node` of this machine.
        let node = std::env::var("COFFER_TEST_NODE").ok();
        let node = node.as_deref().and_then(|node| Path::new(node).parent()).map(|node| node.display());
        let path = node.map_or(format!("{folder}:{PATH}"), |node| format!("{folder}:{node}:{PATH}"));
        Self { stage, api, path, engine: Vec::new() }
    }

    /// With an API that is also the token server, under its own names: logins can be refreshed.
    pub(crate) fn with_token_server(stage: Stage, claude: &Path) -> Self {
        let ca = stage.scratch.root().join("ca.pem");
        let tls = std::net::SocketAddr::from(([127, 0, 0, 1], 443));
        Self::with(stage, claude, FakeApi::builder().tls(tls).ca_out(&ca).start().unwrap())
    }

    /// Another folder with programs, after those that are there already.
    pub(crate) fn also_on_the_path(&mut self, program: &Path) {
        self.path = format!("{}:{}", self.path, program.parent().unwrap().display());
    }

    /// The engine is found where a user would have it: its programs before the machine's, but for the CLI.
    pub(crate) fn with_engine(&mut self, engine: &Engine) {
        let (claude, rest) = self.path.split_once(':').unwrap();
        self.path = format!("{claude}:{}:{rest}", engine.path().to_str().unwrap());
        self.engine = engine.env().to_vec();
    }

    /// An account of this name is signed in.
    pub(crate) fn sign_in_account(&self, name: &str, spec: &LoginSpec) -> IssuedLogin {
        let login = self.api.issue_login(spec);
        let account = format!(".local/share/cofferdam/accounts/{name}");
        let record = serde_json::json!({"schema": 1, "name": name, "agent": "claude", "kind": "subscription", "created_at_ms": 0,
            // What the environment says about the API does not cross with an account.
            "base_url": self.api.base_url()});
        self.stage.scratch.write_home(&format!("{account}/account.json"), &record.to_string()).unwrap();
        self.stage.scratch.write_home(&self.login_of(name), &login.credentials_json()).unwrap();
        login
    }

    /// Where the login of an account is, below the home.
    pub(crate) fn login_of(&self, name: &str) -> String {
        match name {
            "host" => LOGIN.to_owned(),
            name => format!(".local/share/cofferdam/accounts/{name}/login/store/.credentials.json"),
        }
    }

    /// The host is signed in.
    pub(crate) fn sign_in(&self, spec: &LoginSpec) -> IssuedLogin {
        let login = self.api.issue_login(spec);
        self.stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
        login
    }

    /// The environment of a machine with the CLI, whose API is the practice API.
    pub(crate) fn equip(&self, command: &mut Command) {
        command.env("PATH", &self.path).env("ANTHROPIC_BASE_URL", self.api.base_url());
        command.envs(self.engine.iter().cloned());
        if self.api.ca_pem().is_some() {
            command.env("NODE_EXTRA_CA_CERTS", self.stage.scratch.root().join("ca.pem"));
        }
    }

    /// `coffer run --audit never --yes` with these words.
    pub(crate) fn run(&self, words: &[&str]) -> Command {
        let mut command = self.stage.run(words);
        self.equip(&mut command);
        command
    }

    /// `coffer run --audit never --yes FLAGS -- -p hi`.
    pub(crate) fn says_hi(&self, flags: &[&str]) -> Ran {
        run(self.run(flags).args(["--", "-p", "hi"]))
    }

    /// The calls of the model so far.
    pub(crate) fn messages(&self) -> Vec<RequestRecord> {
        self.api.requests().into_iter().filter(|one| one.path == "/v1/messages").collect()
    }

    /// The requests for tokens so far.
    pub(crate) fn token_requests(&self) -> Vec<RequestRecord> {
        self.api.requests().into_iter().filter(|one| one.path.contains("oauth/token")).collect()
    }
}
