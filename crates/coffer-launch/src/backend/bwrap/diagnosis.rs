//! What bubblewrap's own messages mean, and what to do about them.

use coffer_plan::facts::HostFacts;

use crate::run::NO_PROCESS_LEFT;

/// An AppArmor profile that lets bubblewrap make user namespaces, as Ubuntu 24.04 and later want it.
const APPARMOR_PROFILE: &str = r"abi <abi/4.0>,
include <tunables/global>
profile bwrap BWRAP flags=(unconfined) {
  userns,
  include if exists <local/bwrap>
}";

/// Beginnings of bubblewrap's messages when the kernel does not let it make namespaces.
const REFUSALS: &[&str] =
    &["setting up uid map", "No permissions to create", "Creating new namespace failed", "loopback"];

/// Bubblewrap's message when a `/proc` of its own is refused: parts of the one around it are covered.
const COVERED_PROC: &str = "Can't mount proc on";

/// The fix for what bubblewrap said before the sandbox's init ran; `None` when its words tell enough.
pub fn diagnose(diagnostics: &str, facts: &HostFacts) -> Option<String> {
    let refused = REFUSALS.iter().any(|words| diagnostics.contains(words));
    // Whatever it was about to start.
    if diagnostics.contains("Resource temporarily unavailable") {
        return Some(NO_PROCESS_LEFT.to_owned());
    }
    if refused && diagnostics.contains("No space left on device") {
        return Some("no user namespace is left: `sudo sysctl -w user.max_user_namespaces=15000`".to_owned());
    }
    if refused && facts.kernel.inside_coffer {
        return Some(
            "this is the inside of another `coffer run`, which was started without `--allow-nesting`"
                .to_owned(),
        );
    }
    if refused && facts.user_namespaces.apparmor_restricts == Some(true) {
        let bwrap = facts.bubblewrap.as_ref().map_or("/usr/bin/bwrap", |tool| tool.path.as_str());
        let profile = APPARMOR_PROFILE.replace("BWRAP", bwrap);
        return Some(format!(
            "AppArmor keeps bubblewrap from making user namespaces \
             (kernel.apparmor_restrict_unprivileged_userns=1); save this as `/etc/apparmor.d/bwrap`, then \
             `sudo apparmor_parser -r /etc/apparmor.d/bwrap`:\n{profile}"
        ));
    }
    if diagnostics.contains(COVERED_PROC) && diagnostics.contains("Operation not permitted") {
        return Some(
            "parts of `/proc` are covered here, as in a container; in Docker \
             `--security-opt systempaths=unconfined` leaves them open"
                .to_owned(),
        );
    }
    None
}
