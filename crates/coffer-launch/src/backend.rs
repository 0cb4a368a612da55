//! Backends: whether one can make this sandbox, and how. Both are pure.

pub mod bwrap;
#[cfg(test)]
#[path = "../../coffer-plan/tests/common/mod.rs"]
mod common;
mod error;
pub mod oci;

use coffer_plan::facts::HostFacts;
use coffer_plan::plan::{BackendKind, CheckedPlan};

use crate::launch::Launch;
pub use error::BackendError;

/// Lowers a checked plan to a launch on the plan's backend.
///
/// # Errors
/// When the backend is not there, or cannot make this sandbox here.
pub fn lower(plan: &CheckedPlan, facts: &HostFacts) -> Result<Launch, BackendError> {
    match plan.backend.kind {
        BackendKind::Bwrap => bwrap::lower(plan, facts),
        BackendKind::Podman | BackendKind::Docker => oci::lower(plan, facts),
        kind @ BackendKind::Kubernetes => Err(BackendError::Unsupported(kind)),
    }
}

/// The fix for what the launch's backend said before the sandbox's init ran; `None` when its words tell enough.
pub fn diagnose(launch: &Launch, said: &str, facts: &HostFacts) -> Option<String> {
    match launch.engine() {
        Some(engine) => oci::diagnose(engine.kind, said),
        None => bwrap::diagnose(said, facts),
    }
}
