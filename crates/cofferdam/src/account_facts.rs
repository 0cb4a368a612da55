//! What is on record about the account that was chosen becomes facts, without any secret.

use camino::Utf8Path;
use coffer_account::disk::Disk;
use coffer_account::journal::{Journal, Memory};
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::record::{AccountRecord, LoginMarker, RECORD_SCHEMA};
use coffer_plan::agent::{Agent, CredentialKind, CredentialOrigin};
use coffer_plan::facts::{AccountFact, EnvFact, HostFacts, RefusedFact};
use coffer_plan::sign_in::withhold::looks_secret;

use crate::error::Error;

/// Name of the file that marks a login folder; it lies beside the folder.
const MARKER: &str = ".coffer-marker";
/// Largest marker, in bytes.
const MAX_MARKER: usize = 4096;

/// Adds what is known about the account: its record, and for a named one its login instead of the user's own.
/// An account that is not there adds nothing, and the plan says so.
pub(crate) fn look_up(facts: &mut HostFacts, name: &str, agent: &Agent) -> Result<(), Error> {
    let Ok(name) = name.parse::<AccountName>() else {
        return Ok(());
    };
    let folder = AccountFolder::new(&facts.folders.data, &name);
    // What the keepers found out is newer than what was written down when the account was made.
    let refused = memory(&folder).refused;
    let refused =
        refused.map(|refused| RefusedFact { fingerprint: refused.fingerprint, because: refused.because });
    let Some(record) = record(&folder)? else {
        // Of the user's own login nothing else need be on record.
        facts.account = refused.filter(|_| name.is_host()).map(|refused| of_host(refused, agent));
        return Ok(());
    };
    let is_named = !name.is_host();
    if is_named && let Some(layout) = &agent.login {
        facts.login = Some(coffer_host::login_of_account(layout, &folder.login(), name.as_str()));
    } else if is_named {
        facts.login = None;
    }
    let program = record.helper.as_ref().and_then(|helper| helper.first());
    let helper = program.and_then(|program| coffer_host::program(facts, program));
    facts.account = Some(AccountFact {
        login_parent: is_named.then(|| folder.login_parent()),
        marker_matches: record.marker.as_ref().map(|marker| is_same(marker, facts)),
        refused: refused.or(record
            .refused
            .map(|refused| RefusedFact { fingerprint: refused.fingerprint, because: refused.because })),
        has_secret: is_file(&folder.secret()),
        created_at_ms: record.created_at_ms,
        helper,
        base_url: record.base_url.map(|url| match looks_secret("", &url) {
            true => EnvFact::Redacted("looks like a secret".to_owned()),
            false => EnvFact::Value(url),
        }),
        model: record.model,
        timeout_ms: record.timeout_ms,
        name: name.to_string(),
        agent: record.agent,
        kind: record.kind,
    });
    Ok(())
}

/// The user's own login, of which nothing is on record but that it was refused.
fn of_host(refused: RefusedFact, agent: &Agent) -> AccountFact {
    let rule = agent.credentials.iter().find(|rule| rule.from == CredentialOrigin::Login);
    AccountFact {
        name: coffer_account::layout::HOST.to_owned(),
        agent: agent.name.clone(),
        kind: rule.map_or(CredentialKind::Subscription, |rule| rule.kind),
        login_parent: None,
        marker_matches: None,
        refused: Some(refused),
        has_secret: false,
        created_at_ms: 0,
        helper: None,
        base_url: None,
        model: None,
        timeout_ms: None,
    }
}

/// What all keepers of an account remember together.
pub(crate) fn memory(folder: &AccountFolder) -> Memory {
    Journal::open(Disk::real(), folder.root()).map(|journal| journal.memory()).unwrap_or_default()
}

/// The record of an account; `None` when there is none.
pub(crate) fn record(folder: &AccountFolder) -> Result<Option<AccountRecord>, Error> {
    let path = folder.record();
    let broken = |reason: String| Error::AccountBroken { path: path.clone(), reason };
    let Some(text) = coffer_host::read_config(&path)? else { return Ok(None) };
    let record: AccountRecord = serde_json::from_str(&text)
        .map_err(|error| broken(format!("line {}, column {}", error.line(), error.column())))?;
    if record.schema != RECORD_SCHEMA {
        return Err(broken(format!("format {} is not known", record.schema)));
    }
    // A rename that was cut short: the folder's name is what counts.
    Ok(Some(AccountRecord {
        name: folder.root().file_name().and_then(|name| name.parse().ok()).unwrap_or(record.name),
        ..record
    }))
}

/// Whether the login folder is the one on record: its path, its owner, and the text of the marker beside it.
fn is_same(marker: &LoginMarker, facts: &HostFacts) -> bool {
    let Some(login) = &facts.login else { return false };
    let owner = rustix::fs::stat(login.folder.as_str()).map(|stat| (stat.st_uid, stat.st_gid));
    let beside = login.folder.parent().map(|parent| parent.join(MARKER));
    // Where nothing was marked (the client's own folder), path and owner have to do.
    let unmarked = marker.id.is_empty();
    let id = beside.and_then(|path| coffer_host::read_secret(&path, MAX_MARKER).ok().flatten());
    let is_marked = id.is_some_and(|id| id.trim_ascii() == marker.id.as_bytes());
    login.folder == marker.path && owner == Ok((marker.uid, marker.gid)) && (unmarked || is_marked)
}

fn is_file(path: &Utf8Path) -> bool {
    rustix::fs::lstat(path.as_str()).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile
    })
}
