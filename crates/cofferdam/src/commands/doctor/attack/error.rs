//! Why the attacks could not be made.

use std::io;

/// Why the attacks could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttackError {
    /// There is no machine of our own to attack.
    #[error("no machine of namespaces can be made here to attack a sandbox in")]
    NoStage,
    /// A step failed.
    #[error("cannot {action}")]
    Step {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl AttackError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let words = "--map-root-user --net --mount --ipc --uts --pid --fork --mount-proc true";
        match self {
            Self::NoStage => Some(format!(
                "`unshare {words}` must work: install util-linux and iproute2, or run it as root"
            )),
            Self::Step { .. } => None,
        }
    }
}
