//! Config layers: what was said, by whom. Files and flags become [`Settings`]; [`merge`] makes one set
//! of decisions of them, each with its origin.

mod file;
mod keys;
mod layer;
mod limits;
mod merge;
#[cfg(test)]
mod tests;

pub(crate) use file::parse_profile;
pub use file::{
    AuditMode, ConfigError, EnvSettings, MountSpec, ProjectFile, Settings, UpstreamSettings, UserFile,
    fingerprint, parse_project, parse_user,
};
pub use keys::{KeyChoice, KeyDecisions};
pub use layer::{Flags, Layers, Trust};
pub use limits::{LimitSettings, LimitWishes, Wish};
pub use merge::{Merged, Proposal, merge};
