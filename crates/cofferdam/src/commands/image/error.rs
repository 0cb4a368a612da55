//! What `coffer image` can fail with, besides an engine that is not there.

use camino::Utf8PathBuf;
use coffer_plan::image::ImageError as Undescribed;

/// What `coffer image` can fail with.
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
}

impl ImageError {
    /// The stable code of `error[CODE]`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Undescribed(_) => "image",
            Self::Engine { .. } => "engine-failed",
            Self::NotBuilt { .. } => "image-not-built",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Undescribed(error) => Some(error.hint()),
            Self::Engine { .. } => None,
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
