//! The commands about images.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use coffer_plan::plan::BackendKind;

/// `coffer image`.
#[derive(Debug, Args)]
pub struct ImageCommand {
    /// What to do.
    #[command(subcommand)]
    pub verb: ImageVerb,
}

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Build an image with the agent, git, ripgrep and a development environment
    Build(ImageBuildCommand),
    /// List the images that were built
    List(ImageListCommand),
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Podman.
    Podman,
    /// Docker.
    Docker,
}

impl From<Engine> for BackendKind {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Podman => Self::Podman,
            Engine::Docker => Self::Docker,
        }
    }
}

/// `coffer image build`.
#[derive(Debug, Args)]
pub struct ImageBuildCommand {
    /// A development environment to put in; may be said again
    #[arg(long = "tool", value_name = "NAME")]
    pub tools: Vec<String>,
    /// The image to build on: Debian, Alpine, or one that derives from them
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// The agent
    #[arg(long, value_name = "NAME", default_value = "claude")]
    pub agent: String,
    /// Its version, instead of the one that was tried
    #[arg(long, value_name = "VERSION")]
    pub agent_version: Option<String>,
    /// What to call it, instead of localhost/coffer-AGENT and the tools
    #[arg(long, value_name = "REF")]
    pub name: Option<String>,
    /// Who builds it; the one that is there unless said
    #[arg(long, value_enum)]
    pub backend: Option<Engine>,
    /// npm's configuration, where a registry of your own stands; it gets into no layer
    #[arg(long, value_name = "FILE")]
    pub npmrc: Option<Utf8PathBuf>,
    /// Certificates of authorities to trust while something is fetched; they get into no layer
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<Utf8PathBuf>,
    /// Fetch by this machine's own network, for a registry or a proxy on its loopback; by the engine's unless said
    #[arg(long, value_enum)]
    pub network: Option<BuildNetwork>,
    /// Print the file that builds it, and build nothing
    #[arg(long)]
    pub print: bool,
}

/// The networks of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BuildNetwork {
    /// This machine's.
    Host,
}

/// `coffer image list`.
#[derive(Debug, Args)]
pub struct ImageListCommand {
    /// Whose; the one that is there unless said
    #[arg(long, value_enum)]
    pub backend: Option<Engine>,
    /// As one JSON document
    #[arg(long)]
    pub json: bool,
}
