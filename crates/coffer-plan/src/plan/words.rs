//! The words of the contract: auth modes, states, tiers, backends, references.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Declares an enum of contract words with one spelling for files, flags, JSON and people.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in order.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word itself.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("expected one of: {}", Self::WORDS.join(", "))),
                }
            }
        }
    };
}

words! {
    /// What may be done with a bound source.
    Access {
        /// Read only.
        Ro = "ro",
        /// Read and write.
        Rw = "rw",
    }
}

/// Extra mounts are read-only unless said otherwise.
impl Default for Access {
    fn default() -> Self {
        Self::Ro
    }
}

words! {
    /// How a run gets to be signed in.
    AuthMode {
        /// No credential crosses.
        None = "none",
        /// The short-lived access token crosses, without refresh token.
        Lease = "lease",
        /// A gateway outside holds the credential.
        Gateway = "gateway",
        /// The login folder itself, with its locks.
        Shared = "shared",
    }
}

words! {
    /// Where the agent's own files live.
    StateMode {
        /// One for each project folder.
        Project = "project",
        /// One for each account.
        Shared = "shared",
        /// A working copy for this run.
        Copy = "copy",
        /// Empty, and gone after the run.
        Fresh = "fresh",
    }
}

words! {
    /// How a working copy of a state comes about.
    CopyWay {
        /// Laid over it, in constant time.
        Overlay = "overlay",
        /// A copy that shares its blocks with it.
        Reflink = "reflink",
        /// A copy.
        Copy = "copy",
    }
}

words! {
    /// What the sandbox can talk to, from the narrowest to the widest.
    NetworkTier {
        /// Nobody.
        None = "none",
        /// The agent's API.
        Agent = "agent",
        /// An allowlist.
        Dev = "dev",
        /// Anybody, recorded.
        Learn = "learn",
        /// The host's own network.
        Full = "full",
    }
}

words! {
    /// To which addresses the name of an allowed host may lead. Each allows what stands before it, too.
    Ranges {
        /// Addresses of the open internet.
        Public = "public",
        /// And of private networks (RFC 1918, CGNAT, unique local): the user has named exactly this host.
        Private = "private",
        /// And of this machine and its link: the user has given the address itself, or it is where an account says
        /// that its API is.
        Any = "any",
    }
}

words! {
    /// What makes the sandbox.
    BackendKind {
        /// Bubblewrap.
        Bwrap = "bwrap",
        /// Podman.
        Podman = "podman",
        /// Docker.
        Docker = "docker",
        /// Kubernetes.
        Kubernetes = "kubernetes",
    }
}

impl BackendKind {
    /// Whether it is a container engine.
    pub fn is_engine(self) -> bool {
        match self {
            Self::Podman | Self::Docker => true,
            Self::Bwrap | Self::Kubernetes => false,
        }
    }
}

words! {
    /// Folders that exist for one run.
    RunFolder {
        /// Holds the leased login.
        Lease = "lease",
        /// A fresh state.
        State = "state",
        /// A working copy of a state; it lies beside the states.
        Copy = "copy",
        /// In which the filters of key agents listen.
        KeyAgents = "key-agents",
        /// Copies of git's configuration.
        Git = "git",
        /// Where `/etc` is put together.
        Etc = "etc",
    }
}

/// Something that stands in a plan only by name and is resolved by `run` at the last moment. It says all
/// that resolving needs, so that a printed command can be run as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A variable of the host's environment.
    HostEnv(String),
    /// A variable of the image; only the container's init learns its value.
    ImageEnv(String),
    /// A variable of the `env` block of a settings file.
    SettingsEnv {
        /// The variable.
        name: String,
        /// The settings file.
        file: Utf8PathBuf,
    },
    /// A settings file of an agent, without its secrets.
    Settings {
        /// The agent's name.
        agent: String,
        /// The settings file.
        file: Utf8PathBuf,
    },
    /// The MCP servers named in a file of an agent, without their secrets.
    McpServers {
        /// The agent's name.
        agent: String,
        /// The file.
        file: Utf8PathBuf,
    },
    /// A login file without its refresh token; renewed before it is read, when its time is short.
    Lease {
        /// Whose login.
        account: String,
        /// The login file.
        file: Utf8PathBuf,
    },
    /// The sealed key or token of an account.
    AccountSecret {
        /// Whose.
        account: String,
    },
    /// What an account's helper program prints.
    AccountHelper {
        /// Whose.
        account: String,
        /// The program, links followed; its arguments are on record.
        program: Utf8PathBuf,
    },
    /// What the helper prints that a settings file of an agent names.
    SettingsHelper {
        /// The agent's name.
        agent: String,
        /// The settings file.
        file: Utf8PathBuf,
    },
    /// What the sandbox shows to the gateway in place of a credential, known to this run alone.
    Capability,
    /// A login file with the capability in place of the access token, and without refresh token.
    CapabilityLogin {
        /// Whose login it stands for.
        account: String,
        /// The login file.
        file: Utf8PathBuf,
    },
    /// Where the gateway's API is, in a sandbox that has the host's network.
    GatewayUrl,
    /// The public parts of GnuPG keys, by their fingerprints.
    GpgKeys(Vec<String>),
    /// A folder of this run.
    Folder(RunFolder),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostEnv(name) => write!(f, "@ref:env:{name}"),
            Self::ImageEnv(name) => write!(f, "@ref:image-env:{name}"),
            Self::SettingsEnv { name, file } => write!(f, "@ref:settings-env:{name}:{file}"),
            Self::Settings { agent, file } => write!(f, "@ref:settings:{agent}:{file}"),
            Self::McpServers { agent, file } => write!(f, "@ref:mcp-servers:{agent}:{file}"),
            Self::Lease { account, file } => write!(f, "@ref:lease:{account}:{file}"),
            Self::AccountSecret { account } => write!(f, "@ref:account-secret:{account}"),
            Self::AccountHelper { account, program } => write!(f, "@ref:account-helper:{account}:{program}"),
            Self::SettingsHelper { agent, file } => write!(f, "@ref:settings-helper:{agent}:{file}"),
            Self::Capability => f.write_str("@ref:gateway:capability"),
            Self::CapabilityLogin { account, file } => write!(f, "@ref:capability-login:{account}:{file}"),
            Self::GatewayUrl => f.write_str("@ref:gateway:url"),
            Self::GpgKeys(fingerprints) => write!(f, "@ref:gpg-keys:{}", fingerprints.join(",")),
            Self::Folder(folder) => write!(f, "@ref:run:{folder}"),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is no known reference");
        let (kind, rest) =
            text.strip_prefix("@ref:").and_then(|body| body.split_once(':')).ok_or_else(unknown)?;
        let named_file = || match rest.split_once(':') {
            Some((name, file)) if !name.is_empty() && file.starts_with('/') => {
                Ok((name.to_owned(), file.into()))
            }
            Some(_) | None => Err(unknown()),
        };
        match kind {
            "env" if !rest.is_empty() => Ok(Self::HostEnv(rest.to_owned())),
            "image-env" if !rest.is_empty() => Ok(Self::ImageEnv(rest.to_owned())),
            "settings-env" => named_file().map(|(name, file)| Self::SettingsEnv { name, file }),
            "settings" => named_file().map(|(agent, file)| Self::Settings { agent, file }),
            "mcp-servers" => named_file().map(|(agent, file)| Self::McpServers { agent, file }),
            "lease" => named_file().map(|(account, file)| Self::Lease { account, file }),
            "account-secret" if !rest.is_empty() => Ok(Self::AccountSecret { account: rest.to_owned() }),
            "account-helper" => {
                named_file().map(|(account, program)| Self::AccountHelper { account, program })
            }
            "settings-helper" => named_file().map(|(agent, file)| Self::SettingsHelper { agent, file }),
            "gateway" if rest == "capability" => Ok(Self::Capability),
            "gateway" if rest == "url" => Ok(Self::GatewayUrl),
            "capability-login" => named_file().map(|(account, file)| Self::CapabilityLogin { account, file }),
            "gpg-keys" if rest.split(',').all(is_fingerprint) => {
                Ok(Self::GpgKeys(rest.split(',').map(str::to_owned).collect()))
            }
            "run" => rest.parse().map(Self::Folder),
            _ => Err(unknown()),
        }
    }
}

/// Whether a text is the fingerprint of a GnuPG key: nothing else goes on a command line of `gpg`.
fn is_fingerprint(text: &str) -> bool {
    (40..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^@ref:[a-z-]+(:.+)?$" })
    }
}
