//! The command line: what was said, nothing decided.

mod accounts;
mod backup;
mod flags;
mod gateway;
mod image;
mod keep;
mod lab;
mod leaktest;
mod login;
mod quarantine;
mod report;
mod runs;
mod stack;

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

pub use accounts::{
    AccountAddCommand, AccountCommand, AccountImportCommand, AccountListCommand, AccountRemoveCommand,
    AccountRenameCommand, AccountShowCommand, AccountUseCommand, AccountVerb, Kind,
};
pub use backup::{
    BackupCommand, BackupCreateCommand, BackupListCommand, BackupPruneCommand, BackupRestoreCommand,
    BackupVerb, BackupVerifyCommand, OpenFlags,
};
pub use flags::{DryRun, PlanFlags, RunFlags};
pub use gateway::{
    GatewayCommand, GatewayTokenCommand, GatewayTokenCreateCommand, GatewayTokenListCommand,
    GatewayTokenRevokeCommand, GatewayTokenVerb, GatewayUnit, GatewayVerb, Listen,
};
pub use image::{BuildNetwork, Engine, ImageBuildCommand, ImageCommand, ImageListCommand, ImageVerb};
pub use keep::{RefreshCommand, ServeCommand};
pub use lab::{Experiment, LabCommand};
pub use leaktest::LeaktestCommand;
pub use login::LoginCommand;
pub use quarantine::{QuarantineCommand, QuarantineListCommand, QuarantineRestoreCommand, QuarantineVerb};
pub use report::{
    DoctorCommand, LedgerCommand, LedgerShowCommand, LedgerVerb, LedgerVerifyCommand, StatusCommand,
};
pub use runs::{LogsCommand, PsCommand, StopCommand};
pub use stack::{
    EnterCommand, InitCommand, InitComposeCommand, InitDevcontainerCommand, InitVerb, KeeperCommand,
    ProjectWord, Served, StackFlags, Variant,
};

/// Runs a coding agent in a sandbox, signed in, without handing the sandbox the login.
#[derive(Debug, Parser)]
#[command(name = "coffer", version, max_term_width = 100)]
pub struct Cli {
    /// For every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// For every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Print nothing but data and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Print more: the exact command of a run after its audit
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

impl Global {
    /// These options in one word, for when we start ourselves again.
    pub(crate) fn word(quiet: bool, verbose: bool, color: Color) -> String {
        let color = match color {
            Color::Auto => "auto",
            Color::Always => "always",
            Color::Never => "never",
        };
        format!("{color}{}{}", if quiet { ",quiet" } else { "" }, if verbose { ",verbose" } else { "" })
    }

    /// What [`Global::word`] says.
    fn with(mut self, word: &str) -> Self {
        for said in word.split(',') {
            match said {
                "quiet" => self.quiet = true,
                "verbose" => self.verbose = true,
                "always" => self.color = Color::Always,
                "never" => self.color = Color::Never,
                _ => {}
            }
        }
        self
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent, or a command, in a sandbox
    Run(Box<RunFlags>),
    /// Run the agent, or a command, with everybody in reach, and list whom it reached
    Learn(Box<RunFlags>),
    /// List the runs that live
    Ps(PsCommand),
    /// End runs
    Stop(StopCommand),
    /// What was written down of a run: its start, what it reached and was refused, renewals, its end. What the agent prints
    /// goes to its own terminal or file, and is kept nowhere else
    Logs(LogsCommand),
    /// Let sandboxes reach a host
    Allow(AllowCommand),
    /// Show the plan of a run and nothing else
    Plan(Box<PlanCommand>),
    /// Say which decision a path, a host or a variable rests on
    Why(Box<WhyCommand>),
    /// Look at what the project asks for, and trust exactly this content
    Trust(TrustCommand),
    /// Run the genuine agent, signed in, in a sandbox, against a practice API on this machine
    Try(TryCommand),
    /// Sign in to an account, in a clean sandbox, with the genuine agent
    Login(LoginCommand),
    /// Named logins, keys and tokens
    Account(AccountCommand),
    /// Sealed copies of logins, and whole accounts in sealed files
    Backup(BackupCommand),
    /// Say what each account's credential is worth, and which one wins here
    Status(StatusCommand),
    /// Say what is wrong, why it matters and what mends it
    Doctor(DoctorCommand),
    /// What runs left that this machine would run, moved aside
    Quarantine(QuarantineCommand),
    /// The record of what was granted, refreshed, captured and changed
    Ledger(LedgerCommand),
    /// Let the genuine client renew an account's login, if it is due
    Refresh(RefreshCommand),
    /// Experiments with the genuine agent, run for real against the practice API
    Lab(LabCommand),
    /// Prove with a canary that no byte of the login is in a sandbox with these flags
    Leaktest(Box<LeaktestCommand>),
    /// Keep the logins of all accounts fresh until it is ended
    Serve(ServeCommand),
    /// Images for containers, with the agent and a development environment
    Image(ImageCommand),
    /// Write files that work alone: a compose file or a development container, with a keeper for the logins
    Init(InitCommand),
    /// Keep the logins and be the gateway for the services of a compose file
    Keeper(KeeperCommand),
    /// Run a command in such a service: its way out is the gateway, and it is signed in
    Enter(EnterCommand),
    /// Serve the gateway alone, in front of containers and other people's sandboxes
    Gateway(GatewayCommand),
    /// Print the version
    Version(VersionCommand),
    /// Be the gateway of a run; what to do comes on standard input
    #[command(hide = true, name = crate::gateway::VERB)]
    GatewayOfRun,
    /// Be the filters in front of the user's keys; what to do comes on standard input
    #[command(hide = true, name = crate::key_agents::VERB)]
    KeyAgentsOfRun,
    /// Start a launch that `run --dry-run=command` printed
    #[command(hide = true, name = coffer_launch::launch::VERB)]
    ExecLaunch(ExecLaunchCommand),
}

/// `coffer allow`.
#[derive(Debug, Args)]
pub struct AllowCommand {
    /// Whom; `*.NAME` is every name below NAME, and the port is 443 unless said
    #[arg(required = true, value_name = "HOST[:PORT]")]
    pub hosts: Vec<coffer_plan::host::HostRule>,
    /// A run that is at work, or a token of a gateway, reaches them at once
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// For this project only
    #[arg(long)]
    pub here: bool,
}

/// `coffer plan`.
#[derive(Debug, Args)]
pub struct PlanCommand {
    /// As for `run`.
    #[command(flatten)]
    pub flags: PlanFlags,
    /// Print it as JSON
    #[arg(long, conflicts_with = "diff")]
    pub json: bool,
    /// Print who may read, write and reach what, as a table
    #[arg(
        long,
        value_enum,
        value_name = "AS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        conflicts_with_all = ["diff", "check"]
    )]
    pub access: Option<AccessFormat>,
    /// Print what changed since the last run here
    #[arg(long)]
    pub diff: bool,
    /// Exit with 1 when it differs from the last run's
    #[arg(long)]
    pub check: bool,
    /// Plan for a machine whose facts were saved, instead of this one
    #[arg(long, hide = true, value_name = "FILE")]
    pub facts: Option<camino::Utf8PathBuf>,
    /// Save this machine's facts
    #[arg(long, hide = true, value_name = "FILE")]
    pub save_facts: Option<camino::Utf8PathBuf>,
}

/// How the table of `coffer plan --access` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AccessFormat {
    /// In columns
    Text,
    /// As Markdown
    Markdown,
}

/// `coffer why`.
#[derive(Debug, Args)]
pub struct WhyCommand {
    /// What kind of thing it is
    #[arg(value_enum)]
    pub kind: Subject,
    /// A path, a host with or without port, a variable's name, or `memory`, `pids`, `cpus`
    pub subject: String,
    /// As for `run`.
    #[command(flatten)]
    pub flags: PlanFlags,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `why` can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A path.
    Path,
    /// A host.
    Host,
    /// A variable.
    Env,
    /// A limit.
    Limit,
}

/// `coffer trust`.
#[derive(Debug, Args)]
pub struct TrustCommand {
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer try`.
#[derive(Debug, Args)]
pub struct TryCommand {
    /// The prompt
    #[arg(default_value = "Say hello from inside the sandbox.")]
    pub prompt: String,
    /// Keep the practice folder, and say where it is
    #[arg(long)]
    pub keep: bool,
}

/// `coffer version`.
#[derive(Debug, Args)]
pub struct VersionCommand {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer exec-launch`.
#[derive(Debug, Args)]
pub struct ExecLaunchCommand {
    /// As printed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub words: Vec<String>,
    /// Whether systemd has started us again, in the scope that the launch asks for.
    #[arg(skip)]
    pub in_scope: bool,
}

/// What stands before the words of a launch whose scope we are in; global options in one word come next.
pub(crate) const IN_SCOPE: &str = "--in-scope";

/// Reads the command line.
///
/// # Errors
/// Help, version, and everything that does not read.
pub fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    // What was printed is read as it stands: `--` and options in it belong to the backend.
    if arguments.get(1).is_some_and(|word| word == coffer_launch::launch::VERB) {
        let in_scope = arguments.get(2).is_some_and(|word| word == IN_SCOPE);
        let words = arguments.into_iter().skip(2).map(OsString::into_string).collect::<Result<Vec<_>, _>>();
        let words =
            words.map_err(|_| Cli::command().error(clap::error::ErrorKind::InvalidUtf8, "invalid UTF-8"))?;
        let global = Global { color: Color::Auto, quiet: false, verbose: false };
        return Ok(match words.get(1) {
            Some(said) if in_scope => Cli {
                global: global.with(said),
                command: Command::ExecLaunch(ExecLaunchCommand {
                    words: words.iter().skip(2).map(|word| crate::limits::unescaped(word)).collect(),
                    in_scope,
                }),
            },
            Some(_) | None => {
                Cli { global, command: Command::ExecLaunch(ExecLaunchCommand { words, in_scope: false }) }
            }
        });
    }
    Cli::try_parse_from(arguments)
}

/// The command that the first words name, for the hint to its help.
pub fn subcommand(arguments: &[OsString]) -> String {
    let mut found = "coffer".to_owned();
    let mut command = Cli::command();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        if word.starts_with('-') {
            continue;
        }
        let Some(next) = command.find_subcommand(word).filter(|next| !next.is_hide_set()).cloned() else {
            break;
        };
        found = format!("{found} {}", next.get_name());
        command = next;
    }
    found
}

/// The command line as data, for completions, man pages and the reference.
pub fn command() -> clap::Command {
    Cli::command()
}
