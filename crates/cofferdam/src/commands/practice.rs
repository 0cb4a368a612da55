//! `coffer try`: a whole signed-in run of the genuine agent against a practice API on loopback, in a
//! practice home, and what could be seen from inside. It needs no network and touches nothing of the
//! user's.

mod probe;

use std::process::{Command, Stdio};

use coffer_plan::config::Flags;
use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, IssuedLogin, LoginSpec, Scratch};

use crate::cli::TryCommand;
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::prepare::gather;
use crate::printer::Printer;

/// Where the practice login lies in the practice home.
const LOGIN: &str = ".claude/.credentials.json";

pub(crate) fn practice(command: &TryCommand, printer: &Printer) -> Result<u8, Failure> {
    let gathered = gather(&Flags::default(), None)?;
    let (facts, agent) = (gathered.facts, gathered.inputs.agent);
    if facts.agent.is_none() {
        let install = agent.install_hint.unwrap_or_default();
        return Err(Error::ToolMissing { program: agent.name, install }.into());
    }
    let practice = Practice::new(facts.coffer.into_std_path_buf())?;
    printer.tell(&format!("Practice home: {}\n\n", practice.scratch.home().display()));
    let audit = if printer.is_quiet() { "never" } else { "always" };
    let mut run = practice.run(&["--yes", "--audit", audit, "--", "-p", &command.prompt]);
    run.stdin(Stdio::null());
    let status = run.status().map_err(practice_error)?;
    let probe =
        practice.run(&["--audit", "never", "--yes", "--auth", "none", "--", "sh", "-c", probe::SCRIPT]);
    let refresh_token = practice.login.refresh_token.as_deref().unwrap_or_default();
    let (access, refresh) = (end_of(&practice.login.access_token), end_of(refresh_token));
    let leased = practice.run(&[
        "--audit",
        "never",
        "--yes",
        "--",
        "sh",
        "-c",
        probe::LEASE_SCRIPT,
        "sh",
        access,
        refresh,
    ]);
    let findings = probe::findings(probe, leased, practice.seen())?;
    printer.tell(&probe::summary(&findings));
    if command.keep {
        printer.tell(&format!("Kept: {}\n", practice.scratch.root().display()));
        practice.keep();
    }
    let well = status.success() && findings.iter().all(|finding| finding.well);
    Ok(if well { 0 } else { NO })
}

/// The last characters of a practice token: enough to find it by.
fn end_of(token: &str) -> &str {
    token.get(token.len().saturating_sub(12)..).unwrap_or(token)
}

fn practice_error(error: impl std::fmt::Display) -> Error {
    Error::Practice(error.to_string())
}

/// A practice home with a practice login, and the practice API that knows it.
struct Practice {
    scratch: Scratch,
    api: FakeApi,
    login: IssuedLogin,
    coffer: std::path::PathBuf,
}

impl Practice {
    fn new(coffer: std::path::PathBuf) -> Result<Self, Error> {
        let api = FakeApi::builder().start().map_err(practice_error)?;
        let scratch = Scratch::new().map_err(practice_error)?;
        let login = api.issue_login(&LoginSpec::default());
        scratch.write_home(LOGIN, &login.credentials_json()).map_err(practice_error)?;
        for (file, content) in probe::DECOYS {
            scratch.write_home(file, content).map_err(practice_error)?;
        }
        Ok(Self { scratch, api, login, coffer })
    }

    /// `coffer run` as a user of the practice home would type it.
    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(&self.coffer);
        command.arg("run").args(arguments);
        command.env("ANTHROPIC_BASE_URL", self.api.base_url());
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
        command
    }

    /// What the practice API and the practice home saw of the run.
    fn seen(&self) -> probe::Seen {
        let requests = self.api.requests();
        let access = fingerprint(&self.login.access_token);
        let answered = requests.iter().filter(|request| request.path.ends_with("/v1/messages"));
        let used =
            answered.filter(|request| request.credential("authorization").is_some_and(|used| used == access));
        let login = std::fs::read_to_string(self.scratch.home().join(LOGIN)).unwrap_or_default();
        probe::Seen {
            model_calls: used.count(),
            token_requests: requests.iter().filter(|request| request.grant_type.is_some()).count(),
            login_untouched: login == self.login.credentials_json(),
        }
    }

    /// Leaves the practice home where it is.
    fn keep(self) {
        self.scratch.keep();
    }
}
