//! What `coffer image` and a look at a volume can fail with, besides an engine that is not there.

use camino::Utf8PathBuf;
use coffer_plan::image::ImageError as Undescribed;
use coffer_plan::plan::BackendKind;

/// What `coffer image` and a look at a volume can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// No such image can be described.
    #[error(transparent)]
    Undescribed(#[from] Undescribed),
    /// The engine's program cannot be started, or its answer not be read.
    #[error("cannot ask `{program}`")]
    Engine {
        /// The program.
        program: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine did not build it, and has said why.
    #[error("`{name}` was not built ({status})")]
    NotBuilt {
        /// The image.
        name: String,
        /// How the engine ended.
        status: String,
    },
    /// The engine knows no such volume.
    #[error("{kind} knows no volume `{name}`: {said}")]
    NoVolume {
        /// The engine.
        kind: BackendKind,
        /// The volume.
        name: String,
        /// The engine's words.
        said: String,
    },
    /// The volume's folder is somebody else's.
    #[error("{kind} keeps the volume `{name}` in `{path}`, which you may not read")]
    VolumeClosed {
        /// The engine.
        kind: BackendKind,
        /// The volume.
        name: String,
        /// Where it is.
        path: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ImageError {
    /// The stable code of `error[CODE]`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Undescribed(_) => "image",
            Self::Engine { .. } => "engine-failed",
            Self::NotBuilt { .. } => "image-not-built",
            Self::NoVolume { .. } => "volume-missing",
            Self::VolumeClosed { .. } => "volume-closed",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Undescribed(error) => Some(error.hint()),
            Self::Engine { .. } => None,
            Self::NoVolume { kind, .. } => Some(format!("`{kind} volume ls` lists them")),
            Self::VolumeClosed { kind, name, .. } => Some(format!(
                "copy it out and import the copy: `{kind} run --rm -v {name}:/from:ro -v \"$PWD/copy\":/to IMAGE cp -a /from/. \
                 /to`, `sudo chown -R $(id -u) copy`, `coffer account import NAME copy`"
            )),
            Self::NotBuilt { .. } => Some(
                "its last words are above; `--npmrc` and `--ca-file` lead to a registry of your own"
                    .to_owned(),
            ),
        }
    }

    /// Whether the command line is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Undescribed(_))
    }
}
