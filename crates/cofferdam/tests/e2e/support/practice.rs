//! The genuine CLI on a stage, with a practice API to talk to.

use std::path::Path;
use std::process::Command;

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
        Self { stage, api, path }
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
