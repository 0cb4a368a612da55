//! The user's agents for SSH and GnuPG keys: which keys are granted, and what is inside because of them.

use camino::{Utf8Path, Utf8PathBuf};

use super::KEY_AGENTS;
use super::mounts::MountList;
use crate::config::KeyChoice;
use crate::facts::{GpgAgentFact, GpgKeyFact, HostFacts, SshAgentFact, SshKeyFact};
use crate::origin::{Decided, Origin, OriginLayer};
use crate::plan::{
    Access, FileContent, GrantedKey, Identity, KeyAgent, KeyAgentKind, MountOp, PlanError, Reference,
    RunFolder, Source,
};
use crate::policy::Policy;

#[cfg(test)]
mod tests;

/// The variable by which clients find the agent for SSH keys.
pub(super) const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";
/// The most keys that are named in a message.
const MOST_NAMED: usize = 8;

/// The agents, and what was refused.
pub(super) fn derive(policy: &Policy, facts: &HostFacts) -> (Vec<KeyAgent>, Vec<PlanError>) {
    let (mut agents, mut errors) = (Vec::new(), Vec::new());
    let mut take = |granted: Result<Option<KeyAgent>, PlanError>| match granted {
        Ok(agent) => agents.extend(agent),
        Err(refused) => errors.push(refused),
    };
    take(ssh(policy, facts));
    take(gpg(policy, facts));
    let decrypt = &policy.keys.gpg_decrypt;
    let typed = decrypt.value && decrypt.origin.layer == OriginLayer::Flag;
    if typed && policy.keys.gpg.value == KeyChoice::None {
        errors.push(PlanError::KeyAgent {
            agent: KeyAgentKind::Gpg,
            reason: "`--gpg-agent-decrypt` means nothing without its keys".to_owned(),
            mend: "`--gpg-agent --gpg-agent-decrypt`".to_owned(),
            origin: decrypt.origin.clone(),
        });
    }
    (agents, errors)
}

fn ssh(policy: &Policy, facts: &HostFacts) -> Result<Option<KeyAgent>, PlanError> {
    let Decided { value: choice, origin } = &policy.keys.ssh;
    if *choice == KeyChoice::None {
        return Ok(None);
    }
    let unavailable = |reason: &str, mend: &str| refused(KeyAgentKind::Ssh, reason, mend, origin);
    let Some(SshAgentFact { socket: Some(socket), failed, keys }) = &facts.keys.ssh else {
        return Err(unavailable("`SSH_AUTH_SOCK` is not set", "`eval \"$(ssh-agent)\"`, then `ssh-add`"));
    };
    if let Some(reason) = failed {
        return Err(unavailable(reason, "`ssh-add -l` tells more"));
    }
    if keys.is_empty() {
        return Err(unavailable("it has no keys", "`ssh-add`"));
    }
    let label = |key: &SshKeyFact| format!("{} ({})", key.comment, key.kind);
    let matches = |filter: &str, key: &SshKeyFact| filter == key.fingerprint || fits(filter, &key.comment);
    let known = || named(keys.iter().map(|key| format!("{} {}", key.fingerprint, key.comment)));
    let chosen = chosen(KeyAgentKind::Ssh, choice, keys, &matches, &known, origin)?;
    let grant = |key: &&SshKeyFact| GrantedKey {
        fingerprint: key.fingerprint.clone(),
        label: label(key),
        sign: Vec::new(),
        decrypt: Vec::new(),
    };
    agent(KeyAgentKind::Ssh, socket, chosen.iter().map(grant).collect(), policy, facts, origin).map(Some)
}

fn gpg(policy: &Policy, facts: &HostFacts) -> Result<Option<KeyAgent>, PlanError> {
    let Decided { value: choice, origin } = &policy.keys.gpg;
    if *choice == KeyChoice::None {
        return Ok(None);
    }
    let unavailable = |reason: &str, mend: &str| refused(KeyAgentKind::Gpg, reason, mend, origin);
    let Some(GpgAgentFact { socket: Some(socket), failed, keys }) = &facts.keys.gpg else {
        let reason = facts.keys.gpg.as_ref().and_then(|gpg| gpg.failed.as_deref());
        let reason = reason.unwrap_or("`gpgconf` is not on the PATH");
        return Err(unavailable(reason, "install GnuPG, or leave `--gpg-agent` out"));
    };
    if let Some(reason) = failed {
        return Err(unavailable(reason, "`gpgconf --launch gpg-agent`, and `gpg -K` tells more"));
    }
    let usable: Vec<GpgKeyFact> =
        keys.iter().filter(|key| key.parts.iter().any(|part| part.signs || part.decrypts)).cloned().collect();
    if usable.is_empty() {
        return Err(unavailable("there is no secret key that could be used", "`gpg -K` lists them"));
    }
    let known = || named(usable.iter().map(|key| format!("{} {}", key.fingerprint, label(key))));
    let chosen = chosen(KeyAgentKind::Gpg, choice, &usable, &is_named, &known, origin)?;
    let decrypts = policy.keys.gpg_decrypt.value;
    let grants: Vec<GrantedKey> = chosen.iter().map(|key| grant(key, decrypts)).collect();
    if grants.iter().all(|key| key.sign.is_empty() && key.decrypt.is_empty()) {
        return Err(unavailable(
            "none of these keys signs",
            "add `--gpg-agent-decrypt` to decrypt with them",
        ));
    }
    agent(KeyAgentKind::Gpg, socket, grants, policy, facts, origin).map(Some)
}

/// The parts that sign. Where a subkey does, the primary key stays outside: with it new subkeys and names could be
/// certified.
fn grant(key: &GpgKeyFact, decrypts: bool) -> GrantedKey {
    let signing = |subkeys: bool| {
        let parts = key.parts.iter().filter(move |part| part.signs && part.is_subkey == subkeys);
        parts.map(|part| part.keygrip.clone()).collect::<Vec<_>>()
    };
    let subkeys = signing(true);
    let decrypting = key.parts.iter().filter(|part| part.decrypts && decrypts);
    GrantedKey {
        fingerprint: key.fingerprint.clone(),
        label: label(key),
        sign: if subkeys.is_empty() { signing(false) } else { subkeys },
        decrypt: decrypting.map(|part| part.keygrip.clone()).collect(),
    }
}

fn label(key: &GpgKeyFact) -> String {
    key.user_ids.first().cloned().unwrap_or_default()
}

/// By fingerprint, key id, keygrip or address.
fn is_named(filter: &str, key: &GpgKeyFact) -> bool {
    let hex = filter.trim_start_matches("0x").to_ascii_uppercase();
    let is_id = hex.len() >= 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let part = |part: &crate::facts::GpgPartFact| part.fingerprint.ends_with(&hex) || part.keygrip == hex;
    if is_id && (key.fingerprint.ends_with(&hex) || key.parts.iter().any(part)) {
        return true;
    }
    let address =
        |user_id: &String| user_id.rsplit_once('<').map(|(_, rest)| rest.trim_end_matches('>').to_owned());
    key.user_ids.iter().any(|id| fits(filter, id) || address(id).is_some_and(|it| fits(filter, &it)))
}

/// Whether a text is what the filter says; a `*` in it stands for anything.
fn fits(filter: &str, text: &str) -> bool {
    let Some((start, rest)) = filter.split_once('*') else { return filter == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

/// The keys that are meant; each filter has to mean one.
fn chosen<'a, K>(
    agent: KeyAgentKind,
    choice: &KeyChoice,
    keys: &'a [K],
    matches: &dyn Fn(&str, &K) -> bool,
    known: &dyn Fn() -> String,
    origin: &Origin,
) -> Result<Vec<&'a K>, PlanError> {
    let filters = match choice {
        KeyChoice::None => return Ok(Vec::new()),
        KeyChoice::All => return Ok(keys.iter().collect()),
        KeyChoice::Only(filters) => filters,
    };
    for filter in filters {
        if !keys.iter().any(|key| matches(filter, key)) {
            let (filter, known, origin) = (filter.clone(), known(), origin.clone());
            return Err(PlanError::NoSuchKey { agent, filter, known, origin });
        }
    }
    Ok(keys.iter().filter(|key| filters.iter().any(|filter| matches(filter, key))).collect())
}

fn named(keys: impl Iterator<Item = String>) -> String {
    let keys: Vec<String> = keys.map(|key| format!("`{}`", key.trim_end())).collect();
    let more = keys.len().saturating_sub(MOST_NAMED);
    let first = keys.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

fn refused(agent: KeyAgentKind, reason: &str, mend: &str, origin: &Origin) -> PlanError {
    let (reason, mend, origin) = (reason.to_owned(), mend.to_owned(), origin.clone());
    PlanError::KeyAgent { agent, reason, mend, origin }
}

fn agent(
    kind: KeyAgentKind,
    socket: &Utf8Path,
    keys: Vec<GrantedKey>,
    policy: &Policy,
    facts: &HostFacts,
    origin: &Origin,
) -> Result<KeyAgent, PlanError> {
    let confirm = match (&policy.keys.confirm, &facts.keys.askpass) {
        (Decided { value: false, .. }, _) => None,
        (Decided { value: true, .. }, Some(program)) => Some(program.clone()),
        (Decided { value: true, origin }, None) => {
            return Err(PlanError::NobodyAsks { origin: origin.clone() });
        }
    };
    let target = Utf8PathBuf::from(KEY_AGENTS).join(format!("{}.sock", kind.word()));
    Ok(KeyAgent { agent: kind, socket: socket.to_owned(), target, keys, confirm, origin: origin.clone() })
}

/// The folder in which the filters listen, and where GnuPG looks for its own.
pub(super) fn mounts(list: &mut MountList<'_>, agents: &[KeyAgent], identity: &Identity) {
    let Some(first) = agents.first() else { return };
    let op = MountOp::Bind { source: Source::Run { folder: RunFolder::KeyAgents }, access: Access::Ro };
    list.push(op, KEY_AGENTS, first.origin.about("key agents"));
    for agent in agents.iter().filter(|agent| agent.agent == KeyAgentKind::Gpg) {
        let origin = agent.origin.about("GnuPG");
        let home = identity.home.join(".gnupg");
        list.push(MountOp::Tmpfs { mode: 0o700 }, home.clone(), origin.clone());
        let source = agent.target.to_string();
        list.push(MountOp::Symlink { source }, home.join("S.gpg-agent"), origin.clone());
        let fingerprints = agent.keys.iter().map(|key| key.fingerprint.clone()).collect();
        let content = FileContent::Reference {
            reference: Reference::GpgKeys(fingerprints),
            label: "the public parts of the granted keys".to_owned(),
        };
        list.push(MountOp::File { content }, home.join("pubring.gpg"), origin);
    }
}
