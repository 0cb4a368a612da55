//! What a command can fail with: one variant per kind of failure, each knows its code, causes and hint.

use camino::Utf8PathBuf;
use coffer_launch::backend::BackendError;
use coffer_launch::launch::{ParseError, quote};
use coffer_launch::run::RunError;
use coffer_plan::built_in::DataError;
use coffer_plan::config::ConfigError;
use coffer_plan::{plan::PlanError, policy::PolicyError};

use crate::commands::{doctor::AttackError, image::ImageError, stack_error::StackError};

/// What a command can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line does not read.
    #[error("{message}")]
    Usage {
        /// What does not read.
        message: String,
        /// More about it.
        more: Vec<String>,
        /// What was probably meant, or where to read.
        hint: String,
    },
    /// The user's config file was named and is not there.
    #[error("`COFFER_CONFIG` names `{path}`, which does not exist")]
    ConfigMissing {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The machine could not be read.
    #[error(transparent)]
    Host(#[from] coffer_host::HostError),
    /// A config file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A data file is wrong, or an agent unknown.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Paths that lead nowhere.
    #[error("{} paths lead nowhere", .0.len())]
    Policy(Vec<PolicyError>),
    /// The plan is refused.
    #[error("the plan is refused")]
    Plan(Vec<PlanError>),
    /// The backend cannot make the sandbox.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// An image cannot be built or listed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Files that work alone cannot be written, or what they start fails.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// A printed launch does not read.
    #[error(transparent)]
    Launch(#[from] ParseError),
    /// The run failed besides the agent.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The backend failed before the agent started.
    #[error("{program} ended before the agent started ({status})")]
    BackendFailed {
        /// Its program.
        program: Utf8PathBuf,
        /// How it ended.
        status: String,
        /// What it said.
        said: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The command inside is not there, or cannot be executed.
    #[error("cannot run `{program}` in the sandbox")]
    Command {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Init could not prepare the agent.
    #[error("the sandbox's init failed at {step}")]
    SetupFailed {
        /// Where.
        step: String,
        /// Why.
        source: std::io::Error,
    },
    /// The gateway of the run cannot begin.
    #[error("the gateway cannot begin: {message}")]
    GatewayFailed {
        /// Why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The gateway ended before its run did.
    #[error("the gateway of the run ended before the run did; nothing could be reached from then on")]
    GatewayLost,
    /// What the gateway did is not in the ledger.
    #[error("what the gateway let through could not be written down: {message}")]
    GatewayNotRecorded {
        /// Why.
        message: String,
    },
    /// No run that is at work has this id, or several begin so.
    #[error("no run that is at work is called `{run}`")]
    NoSuchRun {
        /// What was said.
        run: String,
    },
    /// A run has no gateway that could let somebody through.
    #[error("the run `{run}` has no gateway that could let it through")]
    RunWithoutGateway {
        /// The run.
        run: String,
        /// Why.
        source: std::io::Error,
    },
    /// What was said names no host.
    #[error(transparent)]
    BadHost(coffer_plan::host::BadHost),
    /// Something about limits.
    #[error(transparent)]
    Limits(#[from] crate::limits::LimitError),
    /// Somebody killed the sandbox.
    #[error("the sandbox was ended from outside ({status})")]
    Lost {
        /// How.
        status: String,
        /// What the backend said.
        said: String,
    },
    /// A file of Cofferdam's own could not be read or written.
    #[error("cannot {action} `{path}`")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of Cofferdam's own does not read.
    #[error("`{path}` does not read as JSON")]
    StoreBroken {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Something cannot be said in JSON.
    #[error("cannot print this as JSON")]
    Json(#[source] serde_json::Error),
    /// Output could not be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// A person said no, or is not there to be asked.
    #[error("{0}")]
    NeedsPerson(&'static str),
    /// A program that is needed is not there.
    #[error("`{program}` is not on the PATH")]
    ToolMissing {
        /// The program.
        program: String,
        /// The command to get it.
        install: String,
    },
    /// A live run cannot be looked into: it just begins or ends, or belongs to somebody else.
    #[error("cannot look into the run `{run}`")]
    RunUnseen {
        /// Its id.
        run: String,
    },
    /// A credential stands in the project's own settings: no canary can take its place.
    #[error("`{name}` stands in `{file}`, so whatever runs in this project has it")]
    CredentialInProject {
        /// Its variable or key.
        name: String,
        /// The project's file.
        file: Utf8PathBuf,
    },
    /// A run could not be searched for leaks.
    #[error("cannot test for leaks: {reason}")]
    Untested {
        /// Why.
        reason: String,
        /// What the run said.
        said: String,
    },
    /// Folders cannot be watched.
    #[error("cannot watch for changes")]
    Watch {
        /// Why.
        source: std::io::Error,
    },
    /// The record of an account does not read.
    #[error("`{path}` is no record of an account: {reason}")]
    AccountBroken {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// An account cannot be read or changed.
    #[error(transparent)]
    Accounts(coffer_account::accounts::AccountsError),
    /// A login or state was not adopted.
    #[error(transparent)]
    Capture(Box<coffer_account::capture::CaptureError>),
    /// A backup cannot be made or read.
    #[error(transparent)]
    Backup(#[from] coffer_account::backup::BackupError),
    /// There is no login or secret to be kept or put back.
    #[error("there is no login of `{account}` that could be kept or put back")]
    NothingToBackUp {
        /// Whose.
        account: String,
    },
    /// A restore would only do harm.
    #[error("the copy is not put back: {reason}")]
    RestoreRefused {
        /// Why.
        reason: &'static str,
    },
    /// A restore that a person has to confirm by typing.
    #[error("nothing was restored: a person has to type the name `{account}` for that")]
    RestoreUnconfirmed {
        /// Whose login.
        account: String,
    },
    /// The login is changing, or a refresh of it has not ended.
    #[error("the login of `{account}` is being refreshed or changed")]
    RestoreUnderWay {
        /// Whose.
        account: String,
    },
    /// A secret could not be read without showing it.
    #[error("cannot read the secret")]
    SecretUnread(#[source] std::io::Error),
    /// The user's config file reads, but cannot be changed in place.
    #[error("`{key}` in `{path}` is written in a way that cannot be changed")]
    ConfigUnfit {
        /// The file.
        path: Utf8PathBuf,
        /// Where in it.
        key: String,
    },
    /// The user's own login is the user's own affair.
    #[error("`host` is your own login, which Cofferdam uses in place and does not replace")]
    HostAccount {
        /// The agent's program.
        agent: String,
    },
    /// An agent has no login that could be captured.
    #[error("the agent `{agent}` has no sign-in that could be captured")]
    NoSignIn {
        /// Which.
        agent: String,
    },
    /// An account is there and is something else.
    #[error("the account `{account}` is for the agent `{agent}`, of the kind `{kind}`")]
    OtherKind {
        /// Which.
        account: String,
        /// For which agent.
        agent: String,
        /// What its credential is.
        kind: coffer_plan::agent::CredentialKind,
    },
    /// The folder for a sign-in lies in somebody's project.
    #[error("the folder for temporary files lies in the project `{path}`")]
    Project {
        /// The project.
        path: Utf8PathBuf,
    },
    /// Another account has this login.
    #[error(
        "the login is that of the account `{other}`: with both, whoever refreshes first signs the other out"
    )]
    LoginElsewhere {
        /// Which was to have it.
        account: String,
        /// Which has it.
        other: String,
    },
    /// Nothing waits.
    #[error("no sign-in waits for the account `{account}`")]
    NothingPending {
        /// Which.
        account: String,
    },
    /// What was to be imported cannot be read.
    #[error("cannot import `{path}`: {reason}")]
    Import {
        /// What.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// An account could not be locked.
    #[error(transparent)]
    AccountLock(#[from] coffer_account::lock::LockError),
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] coffer_ledger::LedgerError),
    /// A live run could not be given a newer token.
    #[error("the run's lease was not renewed")]
    LeaseRenewal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A run outlived the access token that it had, and there was no newer one.
    #[error("the access token of the account `{account}` ended, and could not be renewed")]
    LoginEnded {
        /// Whose login.
        account: String,
        /// How a person signs in.
        mend: Option<String>,
    },
    /// A word is no account's name.
    #[error(transparent)]
    BadAccountName(#[from] coffer_account::layout::BadName),
    /// There is no such account.
    #[error("there is no account `{account}`")]
    NoAccount {
        /// Its name.
        account: String,
    },
    /// The account has no login file, so there is nothing to refresh.
    #[error("the account `{account}` has no login that is ever refreshed")]
    NothingToRefresh {
        /// Its name.
        account: String,
    },
    /// Something cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] coffer_account::seal::SealError),
    /// A sign-in that waits for a person's word cannot be kept or opened.
    #[error(transparent)]
    Pending(#[from] coffer_account::pending::PendingError),
    /// A login could not be kept.
    #[error(transparent)]
    Keeper(#[from] coffer_account::keeper::KeeperError),
    /// An experiment could not be set up.
    #[error("cannot set up the experiment: {action}")]
    Lab {
        /// What was tried.
        action: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no private network for the experiments.
    #[error("no network namespace with nothing but loopback can be made here")]
    NoPrivateNetwork,
    /// Another one keeps the logins of this data folder already.
    #[error("the logins below `{data}` are kept already")]
    ServedAlready {
        /// Cofferdam's data folder.
        data: Utf8PathBuf,
        /// By whom.
        source: coffer_account::lock::LockError,
    },
    /// A gateway cannot stand alone.
    #[error(transparent)]
    Alone(#[from] crate::gateway::alone::AloneError),
    /// The attacks could not be made.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The practice run could not be set up.
    #[error("cannot set up the practice run: {0}")]
    Practice(String),
}

impl From<coffer_account::capture::CaptureError> for Error {
    fn from(error: coffer_account::capture::CaptureError) -> Self {
        Self::Capture(Box::new(error))
    }
}

/// One line of a failure: code, message, hint.
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
}

impl Error {
    /// What clap says about a command line that does not read: its first line, the rest of that paragraph, and
    /// its tips.
    pub(crate) fn usage(told: &clap::Error, command: &str) -> Self {
        let text = told.render().to_string();
        let mut paragraphs = text.split("\n\n");
        let mut first = paragraphs.next().unwrap_or_default().lines().map(str::trim);
        let message = first.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let lines = paragraphs.flat_map(str::lines).map(str::trim);
        let tips: Vec<&str> = lines.filter_map(|line| line.strip_prefix("tip: ")).collect();
        let hint = if tips.is_empty() { format!("`{command} --help`") } else { tips.join("; ") };
        Self::Usage { message, more: first.map(str::to_owned).collect(), hint }
    }

    /// What is told, one finding per refusal.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let one = |code, message: String, hint| Finding { code, message, causes: Vec::new(), hint };
        match self {
            Self::Plan(errors) => {
                errors.iter().map(|error| one(error.code(), error.to_string(), Some(error.hint()))).collect()
            }
            Self::Policy(errors) => {
                errors.iter().map(|error| one("path", error.to_string(), Some(error.hint()))).collect()
            }
            other => vec![Finding {
                code: other.code(),
                message: other.to_string(),
                causes: other.causes(),
                hint: other.hint(),
            }],
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Host(_) => "host",
            Self::ConfigMissing { .. } | Self::Config(_) => "config",
            Self::Data(_) => "data",
            Self::Policy(_) => "path",
            Self::Plan(_) => "plan",
            Self::Backend(error) => error.code(),
            Self::Launch(_) => "launch",
            Self::Run(error) => error.code(),
            Self::BackendFailed { .. } => "backend-failed",
            Self::SetupFailed { .. } => "init",
            Self::GatewayFailed { .. } => "gateway",
            Self::GatewayLost => "gateway-lost",
            Self::GatewayNotRecorded { .. } => "gateway-not-recorded",
            Self::Alone(error) => error.code(),
            Self::NoSuchRun { .. } => "no-such-run",
            Self::RunWithoutGateway { .. } => "run-without-gateway",
            Self::BadHost(_) => "host-name",
            Self::Limits(error) => error.code(),
            Self::Lost { .. } => "lost",
            Self::Command { .. } => "command",
            Self::Store { .. } | Self::StoreBroken { .. } => "store",
            Self::Image(error) => error.code(),
            Self::Stack(error) => error.code(),
            Self::Json(_) | Self::Output(_) => "output",
            Self::NeedsPerson(_) => "needs-person",
            Self::ToolMissing { .. } => "tool-missing",
            Self::Practice(_) => "practice",
            Self::Lab { .. } | Self::NoPrivateNetwork => "lab",
            Self::Attack(_) => "attack",
            Self::LeaseRenewal(_) => "lease-renewal",
            Self::LoginEnded { .. } => "login-ended",
            Self::Accounts(error) => error.code(),
            Self::Capture(error) => error.code(),
            Self::Backup(error) => error.code(),
            Self::NothingToBackUp { .. } => "no-login",
            Self::RestoreRefused { .. } => "restore-refused",
            Self::RestoreUnconfirmed { .. } => "restore-unconfirmed",
            Self::RestoreUnderWay { .. } => "restore-busy",
            Self::SecretUnread(_) => "secret-unread",
            Self::ConfigUnfit { .. } => "config-unfit",
            Self::Ledger(_) => "ledger",
            Self::Watch { .. } => "watch",
            Self::RunUnseen { .. } => "run-unseen",
            Self::CredentialInProject { .. } => "credential-in-project",
            Self::Untested { .. } => "leaktest",
            Self::AccountBroken { .. } => "account-broken",
            Self::BadAccountName(_) => "account-name",
            Self::NoAccount { .. } => "unknown-account",
            Self::NothingToRefresh { .. } => "nothing-to-refresh",
            Self::ServedAlready { .. } => "served-already",
            Self::Keeper(_) => "keeper",
            Self::Seal(_) => "seal",
            Self::Pending(_) => "pending",
            Self::HostAccount { .. } => "host-account",
            Self::NoSignIn { .. } => "no-login-file",
            Self::OtherKind { .. } => "account-kind",
            Self::Project { .. } => "project",
            Self::NothingPending { .. } => "nothing-pending",
            Self::LoginElsewhere { .. } => "login-elsewhere",
            Self::Import { .. } => "import",
            Self::AccountLock(_) => "account-locked",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::ConfigMissing { .. } => Some("make it, or `unset COFFER_CONFIG`".to_owned()),
            Self::GatewayFailed { hint, .. } => hint.clone(),
            Self::Alone(error) => error.hint(),
            Self::GatewayLost => Some("run it again; somebody ended it, or the memory was short".to_owned()),
            Self::GatewayNotRecorded { .. } => Some("`coffer ledger verify`".to_owned()),
            Self::NoSuchRun { .. } => Some("`coffer ps` lists the runs".to_owned()),
            Self::RunWithoutGateway { .. } => Some("run it with `--network dev`".to_owned()),
            Self::BadHost(_) => Some("a name or an address, with or without a port: `example.org:8443`".to_owned()),
            Self::Limits(error) => Some(error.hint()),
            Self::Host(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Backend(error) => Some(error.hint()),
            Self::Run(error) => error.hint(),
            Self::Backup(error) => error.hint(),
            Self::NothingToBackUp { account } => Some(format!("`coffer status --account {account}`")),
            Self::RestoreRefused { .. } => Some("the present login goes on working; `coffer status`".to_owned()),
            Self::RestoreUnconfirmed { .. } => Some("type it on a terminal; `--yes` is not enough".to_owned()),
            Self::RestoreUnderWay { account } => {
                Some(format!("`coffer refresh --account {account}`, and then try it again"))
            }
            Self::Capture(error) => error.hint(),
            Self::Accounts(error) => error.hint(),
            Self::SecretUnread(_) => Some("pipe it in: `… | coffer account add NAME --kind api-key`".to_owned()),
            Self::ConfigUnfit { path, .. } => Some(format!("change it by hand: `$EDITOR {path}`")),
            Self::Ledger(error) => error.hint(),
            Self::NoPrivateNetwork => Some(
                "`unshare --net --map-root-user ip link set lo up` must work: install util-linux and iproute2, or run it as root"
                    .to_owned(),
            ),
            Self::Attack(error) => error.hint(),
            Self::CredentialInProject { file, .. } => Some(format!("take it out: `$EDITOR {file}`")),
            Self::Untested { .. } => Some("the same flags must work: `coffer run … -- true`".to_owned()),
            Self::RunUnseen { .. } => Some("`coffer status` counts the live runs; try it again".to_owned()),
            Self::BackendFailed { hint, .. } => hint.clone(),
            Self::AccountBroken { path, .. } => {
                Some(format!("mend `{path}`, or take the account's folder out and add it again"))
            }
            Self::HostAccount { agent } => Some(format!(
                "`{agent} auth login` signs you in on the host; `coffer login --account NAME` makes an account of its own"
            )),
            Self::NoSignIn { .. } => Some("`coffer account add NAME --kind api-key` takes a key".to_owned()),
            Self::OtherKind { .. } => Some("take another name".to_owned()),
            Self::Project { .. } => Some("`TMPDIR=/tmp coffer login …`".to_owned()),
            Self::LoginElsewhere { account, other } => Some(format!(
                "`coffer account rename {other} {account}`, or `coffer login --account {account}` for a login of its own"
            )),
            Self::NothingPending { account } => Some(format!("`coffer login --account {account}`")),
            Self::AccountLock(_) => Some("wait for it to end, and try again".to_owned()),
            Self::StoreBroken { path, .. } => Some(format!("remove `{path}`")),
            Self::NeedsPerson(_) => Some("say `--yes`, or type it on a terminal".to_owned()),
            Self::ToolMissing { install, .. } => Some(format!("`{install}`")),
            Self::Command { program, .. } => {
                Some(format!("`coffer run -- sh -c 'command -v {program}'` looks for it inside"))
            }
            Self::Seal(error) => error.hint(),
            Self::Pending(error) => error.hint(),
            Self::ServedAlready { .. } => {
                Some("one is enough; `systemctl --user status coffer` shows the unit's".to_owned())
            }
            Self::Keeper(error) => error.hint().map(|hint| match hint.starts_with('`') {
                true => hint,
                false => format!("`{hint}`"),
            }),
            Self::NoAccount { .. } => {
                Some("`coffer status` lists the accounts; `coffer account add NAME` adds one".to_owned())
            }
            Self::BadAccountName(_) | Self::NothingToRefresh { .. } => {
                Some("`coffer status` lists the accounts".to_owned())
            }
            Self::LeaseRenewal(_) => Some("`coffer status` says what the login is worth".to_owned()),
            Self::LoginEnded { mend, .. } => mend.clone(),
            Self::Import { .. }
            | Self::Policy(_)
            | Self::Plan(_)
            | Self::Launch(_)
            | Self::SetupFailed { .. }
            | Self::Lost { .. }
            | Self::Json(_)
            | Self::Output(_)
            | Self::Watch { .. }
            | Self::Lab { .. }
            | Self::Practice(_) => None,
            Self::Image(error) => error.hint(),
            Self::Stack(error) => error.hint(),
            Self::Store { path, source, .. } => Some(match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    "make room on the disk".to_owned()
                }
                _ => format!("see who may do that: `ls -ld {}`; COFFER_HOME names another folder", quote(path.as_str())),
            }),
        }
    }

    fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if let Self::Usage { more, .. } = self {
            causes.extend(more.iter().cloned());
        }
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            causes.push(error.to_string());
            source = error.source();
        }
        if let Self::BackendFailed { said, .. } | Self::Lost { said, .. } | Self::Untested { said, .. } = self
        {
            causes.extend(said.lines().map(str::to_owned));
        }
        causes
    }
}
