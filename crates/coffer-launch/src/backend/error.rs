//! Why a backend cannot make the sandbox: one variant per reason, each with the fix.

use camino::Utf8PathBuf;
use coffer_plan::origin::Origin;
use coffer_plan::plan::BackendKind;

/// Why a backend cannot make the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// Its program is not there.
    #[error("bubblewrap (`bwrap`) is not on the PATH")]
    Missing,
    /// The kernel makes no user namespaces.
    #[error("user namespaces are switched off on this machine ({switch})")]
    NoUserNamespaces {
        /// The switch, as a sysctl.
        switch: &'static str,
        /// The setting that would help.
        setting: &'static str,
    },
    /// It has no lowering for this backend.
    #[error("backend `{0}` is not there yet")]
    Unsupported(BackendKind),
    /// The engine's program is not there.
    #[error("`{kind}` is not on the PATH")]
    EngineMissing {
        /// The engine.
        kind: BackendKind,
    },
    /// The engine is another machine's.
    #[error(
        "{kind} works at `{at}` ({by}), and not on this machine: paths, sockets and ids would be those of that one"
    )]
    Remote {
        /// The engine.
        kind: BackendKind,
        /// Where.
        at: String,
        /// Who says so.
        by: String,
    },
    /// Nobody answers.
    #[error("{kind} does not answer at `{at}`")]
    Down {
        /// The engine.
        kind: BackendKind,
        /// Its socket.
        at: String,
    },
    /// The user may not talk to it.
    #[error("{user} may not talk to {kind} at `{at}`")]
    NotPermitted {
        /// The engine.
        kind: BackendKind,
        /// Its socket.
        at: String,
        /// Who.
        user: String,
    },
    /// Rootless podman has no ids for its containers.
    #[error("{user} has no ranges of ids in `/etc/subuid` and `/etc/subgid`, and podman needs them")]
    NoSubordinateIds {
        /// Who.
        user: String,
    },
    /// The program only looks like the engine.
    #[error("`{kind}` here is {of}")]
    Imitation {
        /// The engine.
        kind: BackendKind,
        /// What it is.
        of: String,
    },
    /// The engine said something else.
    #[error("`{kind} {asked}` failed: {said}")]
    Engine {
        /// The engine.
        kind: BackendKind,
        /// What it was asked.
        asked: String,
        /// Its words.
        said: String,
    },
    /// The image is not there. Nothing is ever pulled.
    #[error("{kind} has no image `{}`", .image.as_deref().unwrap_or_default())]
    ImageMissing {
        /// The engine.
        kind: BackendKind,
        /// As it was asked for.
        image: Option<String>,
    },
    /// The image is for another machine.
    #[error("the image `{image}` is for {of}, and this machine is {machine}")]
    Architecture {
        /// As it was asked for.
        image: String,
        /// For what it is.
        of: String,
        /// What this is.
        machine: String,
    },
    /// The engine has no word for an operation.
    #[error("{kind} has no word for the operation `{op}` on `{target}` ({origin})")]
    NoWord {
        /// The engine.
        kind: BackendKind,
        /// The operation.
        op: &'static str,
        /// Where.
        target: Utf8PathBuf,
        /// Who asked for it.
        origin: Origin,
    },
    /// The engine's command line cannot hold a path.
    #[error("{kind} takes no mount whose path has `{}`: `{path}`", .character.escape_debug())]
    Path {
        /// The engine.
        kind: BackendKind,
        /// The path.
        path: Utf8PathBuf,
        /// What it has.
        character: char,
    },
}

impl BackendError {
    /// The stable code of `error[CODE]`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::EngineMissing { .. } => "backend-missing",
            Self::NoUserNamespaces { .. } => "no-user-namespaces",
            Self::Unsupported(_) => "backend-unavailable",
            Self::Remote { .. } => "engine-remote",
            Self::Down { .. } => "engine-down",
            Self::NotPermitted { .. } => "engine-not-permitted",
            Self::NoSubordinateIds { .. } => "no-subordinate-ids",
            Self::Imitation { .. } => "engine-imitation",
            Self::Engine { .. } => "engine-failed",
            Self::ImageMissing { .. } => "image-missing",
            Self::Architecture { .. } => "image-architecture",
            Self::NoWord { .. } => "no-word",
            Self::Path { .. } => "engine-path",
        }
    }

    /// The exact fix.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing => {
                "`sudo apt-get install bubblewrap`, or your system's package of that name".to_owned()
            }
            Self::NoUserNamespaces { setting, .. } => format!("`sudo sysctl -w {setting}`"),
            Self::Unsupported(_) | Self::NoWord { .. } => "`--backend bwrap`".to_owned(),
            Self::EngineMissing { kind: BackendKind::Docker } => {
                "`sudo apt-get install docker.io`, or your system's package of Docker; or `--backend podman`"
                    .to_owned()
            }
            Self::EngineMissing { kind } => {
                format!(
                    "`sudo apt-get install {kind} uidmap slirp4netns`, or your system's packages of these names"
                )
            }
            Self::Remote { by, .. } => {
                format!("let it work on this machine: take out what `{by}` says; or `--backend bwrap`")
            }
            Self::Down { kind: BackendKind::Docker, .. } => {
                "`sudo systemctl start docker`; for a rootless one `systemctl --user start docker`".to_owned()
            }
            Self::Down { kind, .. } => format!("`{kind} info` says more"),
            Self::NotPermitted { user, .. } => format!(
                "`sudo usermod -aG docker {user}` and sign in again (whoever is in that group is root on this machine); \
                 or a rootless one: `dockerd-rootless-setuptool.sh install`; or `--backend podman`"
            ),
            Self::NoSubordinateIds { user } => format!(
                "`sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`, then \
                 `podman system migrate`"
            ),
            Self::Imitation { .. } => "`--backend podman`".to_owned(),
            Self::Engine { kind, asked, .. } => format!("`{kind} {asked}` by hand says more"),
            Self::ImageMissing { .. } => {
                "`coffer image build`, or another image that is there: `--image REF` (nothing is pulled)"
                    .to_owned()
            }
            Self::Architecture { .. } => "`coffer image build`, or another image: `--image REF`".to_owned(),
            Self::Path { .. } => {
                "give the folder another name, or mount it elsewhere: `--mount SRC:DST`".to_owned()
            }
        }
    }
}
