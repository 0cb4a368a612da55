//! The mode `shared`: the login folder itself, with its locks, read and write.
//!
//! A named account's private parent folder is bound, so that the client's sibling lock `store.lock` has a
//! place. Of the user's own login only the folder is bound, below an empty parent in memory: the sibling
//! lock `<folder>.lock` lies in the home and is not shared, so only versions count that were measured to
//! need no more than the lock inside.

use camino::Utf8PathBuf;

use super::credential::lease_rule;
use super::mounts::MountList;
use super::{SHARED, SHARED_STORE};
use crate::agent::numbers;
use crate::agent::{CredentialKind, LeaseRule};
use crate::facts::{AccountFact, HostFacts};
use crate::origin::Origin;
use crate::plan::{Access, MountOp, Note, PlanError, Source};
use crate::policy::Policy;

/// A login folder that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    /// The variable that leads the agent to it.
    pub(super) variable: String,
    /// What is bound.
    pub(super) folder: Folder,
    /// What the user should know.
    pub(super) notes: Vec<Note>,
}

/// What is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folder {
    /// A named account's private parent.
    Parent(Utf8PathBuf),
    /// The user's own login folder.
    Host(Utf8PathBuf),
}

/// Decides whether the login may be shared, and how.
pub(super) fn derive(
    policy: &Policy,
    facts: &HostFacts,
    account: Option<&AccountFact>,
) -> Result<Shared, PlanError> {
    let refuse = |reason: String, way_out: &'static str| PlanError::SharedRefused {
        account: policy.account.value.clone(),
        reason,
        way_out,
        origin: policy.auth.origin.clone(),
    };
    let lease = "`--auth lease`";
    let (Some(layout), Some(login)) = (&policy.agent.login, &facts.login) else {
        return Err(refuse(format!("{} has no login file", policy.agent.title), lease));
    };
    if let Some(account) = account
        && account.kind != CredentialKind::Subscription
    {
        let reason = format!("its credential ({}) is no login, and crosses by itself", account.kind);
        return Err(refuse(reason, lease));
    }
    let Some(version) = super::agent_version(policy, facts) else {
        return Err(refuse("the agent's version is unknown".to_owned(), lease));
    };
    let Some(LeaseRule { env: Some(variable), .. }) = lease_rule(&layout.lease, Some(version)) else {
        let reason = format!("version {version} of {} knows no login folder of its own", policy.agent.title);
        return Err(refuse(reason, "`--auth lease`, or a newer version"));
    };
    let note = |text: &str| Note { text: text.to_owned(), origin: policy.auth.origin.clone() };
    let mut notes = vec![note(
        "shared: the agent can read the refresh token, take a copy of it out, and end the login for everybody",
    )];
    let folder = match account.and_then(|account| account.login_parent.clone()) {
        Some(parent) => Folder::Parent(parent),
        None => {
            let since = layout.shared_since.as_deref();
            if since.is_none_or(|since| numbers(version) < numbers(since)) {
                let reason =
                    format!("version {version} is not measured to be safe with your own login folder");
                return Err(refuse(reason, "`--auth lease`, or a newer version"));
            }
            if !policy.allow_host_login.value {
                let reason = "your own login would be in the agent's hands".to_owned();
                return Err(refuse(reason, "`--auth lease`, or `--allow-host-login`"));
            }
            notes.push(note(
                "shared: whatever else lies in your own login folder can be read and written, too; what the \
                 agent adds there (settings, hooks) is run on the host by your next session",
            ));
            Folder::Host(facts.path(&login.folder).map_or(&login.folder, |fact| &fact.resolved).clone())
        }
    };
    Ok(Shared { variable: variable.clone(), folder, notes })
}

/// Binds it; the user's own configuration in it read-only.
pub(super) fn mounts(list: &mut MountList<'_>, policy: &Policy, shared: &Shared) {
    let origin = origin(&policy.auth.origin);
    let folder = match &shared.folder {
        Folder::Parent(parent) => {
            let op = MountOp::Bind { source: Source::Own { path: parent.clone() }, access: Access::Rw };
            list.push(op, SHARED, origin);
            return;
        }
        Folder::Host(folder) => folder,
    };
    list.push(MountOp::Tmpfs { mode: 0o700 }, SHARED, origin.clone());
    list.bind(folder, SHARED_STORE.into(), Access::Rw, &origin);
    for name in policy.agent.own_files() {
        let target = Utf8PathBuf::from(SHARED_STORE).join(name);
        let source = folder.join(name);
        if list.facts.exists(&source) {
            list.bind(&source, &target, Access::Ro, &origin);
        }
    }
}

/// Whose the mounts of a shared login are: no layer can say this.
pub(crate) fn origin(auth: &Origin) -> Origin {
    auth.about("auth shared")
}
