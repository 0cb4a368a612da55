//! What bubblewrap's own messages mean, and what to do about them.

use coffer_plan::facts::HostFacts;

use crate::run::{NO_MOUNT_LEFT, NO_PROCESS_LEFT};

/// An AppArmor profile that lets bubblewrap make user namespaces, as Ubuntu 24.04 and later want it.
const APPARMOR_PROFILE: &str = r"abi <abi/4.0>,
include <tunables/global>
profile bwrap BWRAP flags=(unconfined) {
  userns,
  include if exists <local/bwrap>
}";

/// Beginnings of bubblewrap's messages when the kernel gives it no namespaces at all; versions spell the first in two ways.
const NO_NAMESPACES: &[&str] = &["No permissions to creat", "Creating new namespace failed"];

/// Beginnings of its messages when it got them and may do nothing in them.
const POWERLESS: &[&str] = &["setting up uid map", "loopback"];

/// Beginnings of its messages about mounts.
const MOUNTS: &[&str] = &["Can't mount ", "Can't bind mount ", "Failed to mount "];

/// Its message when a `/proc` of its own is refused: parts of the one around it are covered.
const COVERED_PROC: &str = "Can't mount proc on";

/// The fix for what bubblewrap said before the sandbox's init ran; `None` when its words tell enough.
pub fn diagnose(diagnostics: &str, facts: &HostFacts) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|words| diagnostics.contains(words));
    let is_full = diagnostics.contains("No space left on device") || diagnostics.contains("ENOSPC");
    let none = says(NO_NAMESPACES);
    let refused = none || says(POWERLESS);
    let fix = if diagnostics.contains("Resource temporarily unavailable") {
        // Whatever it was about to start.
        NO_PROCESS_LEFT
    } else if refused && is_full {
        "no user namespace is left: `sudo sysctl -w user.max_user_namespaces=15000`"
    } else if is_full && says(MOUNTS) {
        NO_MOUNT_LEFT
    } else if refused && facts.kernel.inside_coffer {
        "this is the inside of another `coffer run`, which was started without `--allow-nesting`"
    } else if none && facts.kernel.filtered {
        "a filter of system calls is around this shell, as in a container, and refuses namespaces: in Docker and podman \
         `--security-opt seccomp=unconfined` lets them be made, and a `/proc` inside takes `--security-opt \
         systempaths=unconfined` in Docker, `--security-opt unmask=ALL` in podman; or start `coffer` outside of it"
    } else if refused && facts.user_namespaces.apparmor_restricts == Some(true) {
        return Some(apparmor(facts));
    } else if diagnostics.contains(COVERED_PROC) && diagnostics.contains("Operation not permitted") {
        covered_proc(facts)
    } else if diagnostics.contains("Can't read /proc/sys/") {
        "`/proc` shows nothing but processes here (`subset=pid`): mount a whole one"
    } else {
        return None;
    };
    Some(fix.to_owned())
}

fn apparmor(facts: &HostFacts) -> String {
    let bwrap = facts.bubblewrap.as_ref().map_or("/usr/bin/bwrap", |tool| tool.path.as_str());
    let profile = APPARMOR_PROFILE.replace("BWRAP", bwrap);
    format!(
        "AppArmor keeps bubblewrap from making user namespaces \
         (kernel.apparmor_restrict_unprivileged_userns=1); save this as `/etc/apparmor.d/bwrap`, then \
         `sudo apparmor_parser -r /etc/apparmor.d/bwrap`:\n{profile}"
    )
}

fn covered_proc(facts: &HostFacts) -> &'static str {
    if facts.kernel.inside_coffer {
        "this is the inside of another `coffer run`, whose `/proc` stays covered where root started it: start that \
         one as an ordinary user"
    } else {
        "parts of `/proc` are covered here, as in a container; `--security-opt systempaths=unconfined` in Docker, and \
         `--security-opt unmask=ALL` in podman, leave them open"
    }
}
