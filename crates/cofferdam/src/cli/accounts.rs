//! The commands about accounts.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use coffer_plan::agent::CredentialKind;

/// `coffer account`.
#[derive(Debug, Args)]
pub struct AccountCommand {
    /// What to do.
    #[command(subcommand)]
    pub verb: AccountVerb,
}

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountVerb {
    /// Add one; a key or token is read from stdin, or asked for without echo
    Add(Box<AccountAddCommand>),
    /// Adopt a login that was made or captured elsewhere
    Import(AccountImportCommand),
    /// List them
    List(AccountListCommand),
    /// Say what one is, and where what seals its secrets lives
    Show(AccountShowCommand),
    /// Remove one; a sealed copy of its login is kept
    Remove(AccountRemoveCommand),
    /// Rename one
    Rename(AccountRenameCommand),
    /// Use one from now on, everywhere or for the project here
    Use(AccountUseCommand),
}

/// `coffer account add`.
#[derive(Debug, Args)]
pub struct AccountAddCommand {
    /// Its name
    pub name: String,
    /// What its credential is
    #[arg(long, value_enum, default_value_t = Kind::Subscription)]
    pub kind: Kind,
    /// Another provider of the API, or a gateway
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The model to ask for
    #[arg(long)]
    pub model: Option<String>,
    /// Time-out of a request, such as `90s` or `10m`
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// The agent that it is for
    #[arg(long, value_name = "NAME", default_value = "claude")]
    pub agent: String,
    /// The program that prints the key, and its arguments; stands last
    #[arg(long, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
    pub helper: Vec<String>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A subscription that is signed in.
    Subscription,
    /// A long-lived token for a subscription.
    SetupToken,
    /// An API key.
    ApiKey,
    /// A bearer token.
    AuthToken,
    /// A program that prints a key.
    Helper,
    /// A cloud provider's own sign-in.
    Cloud,
}

impl From<Kind> for CredentialKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Subscription => Self::Subscription,
            Kind::SetupToken => Self::SetupToken,
            Kind::ApiKey => Self::ApiKey,
            Kind::AuthToken => Self::AuthToken,
            Kind::Helper => Self::Helper,
            Kind::Cloud => Self::Cloud,
        }
    }
}

/// `coffer account list`.
#[derive(Debug, Args)]
pub struct AccountListCommand {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer account show`.
#[derive(Debug, Args)]
pub struct AccountShowCommand {
    /// Its name
    pub name: String,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer account remove`.
#[derive(Debug, Args)]
pub struct AccountRemoveCommand {
    /// Its name
    pub name: String,
    /// Keep no sealed copy either
    #[arg(long)]
    pub purge: bool,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer account rename`.
#[derive(Debug, Args)]
pub struct AccountRenameCommand {
    /// Its name
    pub old: String,
    /// Its new name
    pub new: String,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer account use`.
#[derive(Debug, Args)]
pub struct AccountUseCommand {
    /// Its name
    pub name: String,
    /// For the project here only
    #[arg(long)]
    pub here: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer account import`.
#[derive(Debug, Args)]
pub struct AccountImportCommand {
    /// The account; it is made where it does not exist
    pub name: String,
    /// A folder with a login in it, a login file, or `-` for stdin
    #[arg(
        required_unless_present_any = ["pending", "volume"],
        conflicts_with_all = ["pending", "volume"],
        value_name = "DIR|FILE|-"
    )]
    pub from: Option<Utf8PathBuf>,
    /// A volume of a container engine with a login in it
    #[arg(long, value_name = "NAME", conflicts_with = "pending")]
    pub volume: Option<String>,
    /// The engine that has the volume; without it podman, else docker
    #[arg(long, value_enum, value_name = "KIND", requires = "volume")]
    pub backend: Option<super::Engine>,
    /// Adopt the newest sign-in that was made inside a run and waits
    #[arg(long)]
    pub pending: bool,
    /// The agent whose login it is
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
}
