//! What can go wrong here: one variant per failed action.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot parse `{}`: {source}", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("cannot parse `{}`: {source}", path.display())]
    Rust { path: PathBuf, source: syn::Error },
    #[error("cannot start `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    #[error("`{command}` failed: {stderr}")]
    Failed { command: String, stderr: String },
    #[error("`cargo metadata` is not what this program expects: {source}")]
    Metadata { source: serde_json::Error },
    #[error("cannot read the data of `coffer`: {0}")]
    Data(#[from] coffer_plan::built_in::DataError),
}
