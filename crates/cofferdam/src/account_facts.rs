//! What is on record about the account that was chosen becomes facts, without any secret.

use camino::Utf8Path;
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::record::{AccountRecord, LoginMarker, RECORD_SCHEMA};
use coffer_plan::agent::Agent;
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
    let Some(record) = record(&folder)? else {
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
        refused: record
            .refused
            .map(|refused| RefusedFact { fingerprint: refused.fingerprint, because: refused.because }),
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
    Ok(Some(record))
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
