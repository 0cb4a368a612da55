//! Backends: whether one can make this sandbox, and how. Both are pure.

pub mod bwrap;

use coffer_plan::facts::HostFacts;
use coffer_plan::plan::{BackendKind, CheckedPlan};

use crate::launch::Launch;

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
}

impl BackendError {
    /// The stable code of `error[CODE]`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "backend-missing",
            Self::NoUserNamespaces { .. } => "no-user-namespaces",
            Self::Unsupported(_) => "backend-unavailable",
        }
    }

    /// The exact fix.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing => {
                "`sudo apt-get install bubblewrap`, or your system's package of that name".to_owned()
            }
            Self::NoUserNamespaces { setting, .. } => format!("`sudo sysctl -w {setting}`"),
            Self::Unsupported(_) => "`--backend bwrap`".to_owned(),
        }
    }
}

/// Lowers a checked plan to a launch on the plan's backend.
///
/// # Errors
/// When the backend is not there, or cannot make this sandbox here.
pub fn lower(plan: &CheckedPlan, facts: &HostFacts) -> Result<Launch, BackendError> {
    match plan.backend.kind {
        BackendKind::Bwrap => bwrap::lower(plan, facts),
        kind @ (BackendKind::Podman | BackendKind::Docker | BackendKind::Kubernetes) => {
            Err(BackendError::Unsupported(kind))
        }
    }
}
