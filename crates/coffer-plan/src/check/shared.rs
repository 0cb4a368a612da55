//! The one way in which a login folder may be bound: the mode `shared`, at its own place, from the account
//! that was chosen.

use camino::Utf8Path;

use crate::derive::{SHARED, SHARED_STORE, shared};
use crate::facts::HostFacts;
use crate::path::is_within;
use crate::plan::{Access, AuthMode, Mount, MountOp, Plan, PlanError, Source};
use crate::policy::Policy;

/// Whether a mount belongs to a shared login: whose it is, and at its place. No layer can say this origin.
pub(super) fn is_shared_login(plan: &Plan, mount: &Mount) -> bool {
    plan.credential.mode == AuthMode::Shared
        && mount.origin == shared::origin(&plan.credential.origin)
        && is_within(&mount.target, Utf8Path::new(SHARED))
}

/// Whether a mount shows the user's own login folder as the mode `shared` grants it: at its place and
/// nothing around it, or a part of it read-only on top.
pub(super) fn is_granted(plan: &Plan, mount: &Mount, policy: &Policy, facts: &HostFacts) -> bool {
    let Some((Source::Host { path, .. }, access)) = mount.bind() else { return false };
    let Some(login) = &facts.login else { return false };
    let folder = facts.path(&login.folder).map_or(&login.folder, |fact| &fact.resolved);
    let (Ok(part), Ok(place)) = (path.strip_prefix(folder), mount.target.strip_prefix(SHARED_STORE)) else {
        return false;
    };
    let whole = part == "" && place == "";
    let in_the_users_hand = plan.credential.account == "host" && policy.allow_host_login.value;
    is_shared_login(plan, mount) && in_the_users_hand && part == place && (whole || access == Access::Ro)
}

/// Folders of Cofferdam's own that may be bound: states, and the private parent of the login that is
/// shared. Whatever else lies in the data folder (other logins, keys, the ledger) stays there.
pub(super) fn own_sources(plan: &Plan, facts: &HostFacts) -> Vec<PlanError> {
    let states = facts.folders.data.join("state");
    let parent = facts.account.as_ref().filter(|account| account.name == plan.credential.account);
    let parent = parent.and_then(|account| account.login_parent.as_deref());
    let is_ours = |mount: &&Mount| {
        let (MountOp::Bind { source: Source::Own { path }, .. }
        | MountOp::Overlay { source: Source::Own { path }, .. }) = &mount.op
        else {
            return true;
        };
        let is_state = path != &states && is_within(path, &states);
        let is_login = parent == Some(path) && mount.target == SHARED && is_shared_login(plan, mount);
        is_state || is_login
    };
    let others = plan.mounts.iter().filter(|mount| !is_ours(mount));
    let refused = others.filter_map(|mount| match &mount.op {
        MountOp::Bind { source: Source::Own { path }, .. }
        | MountOp::Overlay { source: Source::Own { path }, .. } => Some(PlanError::Secret {
            source_path: path.clone(),
            secret: facts.folders.data.clone(),
            reason: "Cofferdam's own store".to_owned(),
            origin: mount.origin.clone(),
        }),
        MountOp::Bind { source: Source::Host { .. } | Source::Run { .. }, .. }
        | MountOp::Overlay { source: Source::Host { .. } | Source::Run { .. }, .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::Mask { .. }
        | MountOp::GitConfig { .. }
        | MountOp::Placeholder { .. }
        | MountOp::File { .. } => None,
    });
    refused.collect()
}
