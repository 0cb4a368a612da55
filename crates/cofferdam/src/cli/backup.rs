//! The commands about backups.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

/// `coffer backup`.
#[derive(Debug, Args)]
pub struct BackupCommand {
    /// What to do.
    #[command(subcommand)]
    pub verb: BackupVerb,
}

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupVerb {
    /// Seal a copy of a login, or a whole account into a file
    Create(BackupCreateCommand),
    /// List the sealed copies of a login
    List(BackupListCommand),
    /// Open and read every copy, or these files
    Verify(BackupVerifyCommand),
    /// Put a login, or a whole account, back
    Restore(BackupRestoreCommand),
    /// Remove the oldest copies
    Prune(BackupPruneCommand),
}

/// `coffer backup create`.
#[derive(Debug, Args)]
pub struct BackupCreateCommand {
    /// Whose; without it the account that is chosen here
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The whole account, with its state
    #[arg(long, requires = "to")]
    pub state: bool,
    /// A file that is not there yet, or a folder; without it the copy goes to the account's own
    #[arg(long, value_name = "PATH")]
    pub to: Option<Utf8PathBuf>,
    /// Who may open it, too: `age1…`, `ssh-ed25519 …`, or a file of these
    #[arg(long, value_name = "RECIPIENT", requires = "to")]
    pub recipient: Vec<String>,
    /// Seal it with a passphrase, from stdin or asked for without echo
    #[arg(long, requires = "to", conflicts_with = "recipient")]
    pub passphrase: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer backup list`.
#[derive(Debug, Args)]
pub struct BackupListCommand {
    /// Whose; without it the account that is chosen here
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// How a file is opened.
#[derive(Debug, Args)]
pub struct OpenFlags {
    /// A file with an `age` identity, or an `ssh-ed25519` key, that opens it
    #[arg(long, value_name = "FILE")]
    pub identity: Option<Utf8PathBuf>,
    /// It was sealed with a passphrase, which comes from stdin or is asked for without echo
    #[arg(long, conflicts_with = "identity")]
    pub passphrase: bool,
}

/// `coffer backup verify`.
#[derive(Debug, Args)]
pub struct BackupVerifyCommand {
    /// Backups in files; without any, the account's own copies
    pub files: Vec<Utf8PathBuf>,
    /// Whose; without it the account that is chosen here
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// How files are opened.
    #[command(flatten)]
    pub open: OpenFlags,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer backup restore`.
#[derive(Debug, Args)]
pub struct BackupRestoreCommand {
    /// One of the account's own copies, or the beginning of its id
    #[arg(required_unless_present = "from")]
    pub copy: Option<String>,
    /// A backup in a file instead
    #[arg(long, value_name = "FILE", conflicts_with = "copy")]
    pub from: Option<Utf8PathBuf>,
    /// Into which account; one that is not there is added
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The state as well
    #[arg(long, requires = "from")]
    pub state: bool,
    /// How the file is opened.
    #[command(flatten)]
    pub open: OpenFlags,
    /// Don't ask where no login that works is replaced and no spent token put back
    #[arg(long, short)]
    pub yes: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer backup prune`.
#[derive(Debug, Args)]
pub struct BackupPruneCommand {
    /// Whose; without it the account that is chosen here
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// How many stay, besides the newest of each sign-in
    #[arg(long, value_name = "NUMBER", default_value_t = coffer_account::copies::KEPT)]
    pub keep: usize,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
