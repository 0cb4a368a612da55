//! What logins are worth: the findings of the one verdict.

use camino::Utf8Path;
use coffer_launch::launch::quote;
use coffer_plan::sign_in::OWN_ACCOUNT;
use coffer_plan::sign_in::verify::Cause;

use super::super::finding::{Seen, Severity};
use super::super::fix::Fix;
use super::super::scene::Scene;

/// Findings with one of these causes, over all accounts.
fn by_cause(scene: &Scene, causes: &[Cause]) -> Vec<Seen> {
    let accounts = scene.looked.accounts.iter();
    accounts
        .flat_map(|account| {
            let found = account.verified.findings.iter().filter(|found| causes.contains(&found.cause));
            found.map(|found| {
                let seen = Seen::new(format!("{}: {}", account.name, found.text));
                match found.cause.hint(account.name.as_str(), &scene.looked.agent) {
                    Some(hint) => seen.command(hint),
                    None => seen,
                }
            })
        })
        .collect()
}

pub(crate) fn missing(scene: &Scene) -> Vec<Seen> {
    by_cause(scene, &[Cause::Missing])
}

pub(crate) fn corrupted(scene: &Scene) -> Vec<Seen> {
    let is_folder =
        |account: &str| scene.places.iter().any(|place| place.account == account && place.is_folder);
    let seen = by_cause(scene, &[Cause::Corrupted]).into_iter();
    // A folder in its place has a check of its own.
    seen.filter(|seen| !seen.text.split(':').next().is_some_and(is_folder)).collect()
}

pub(crate) fn expired(scene: &Scene) -> Vec<Seen> {
    let mut seen = by_cause(scene, &[Cause::Ended, Cause::Refused, Cause::Revoked]);
    let old = by_cause(scene, &[Cause::OldToken]).into_iter();
    seen.extend(old.map(|seen| seen.severity(Severity::Warning)));
    seen
}

pub(crate) fn scope(scene: &Scene) -> Vec<Seen> {
    by_cause(scene, &[Cause::Scope])
}

pub(crate) fn ends_soon(scene: &Scene) -> Vec<Seen> {
    by_cause(scene, &[Cause::LoginEndsSoon])
}

pub(crate) fn odd_end(scene: &Scene) -> Vec<Seen> {
    by_cause(scene, &[Cause::OddEnd])
}

pub(crate) fn owner(scene: &Scene) -> Vec<Seen> {
    let places = scene.places.iter();
    let command = |account: &str| {
        let mut places = places.clone().filter(|place| place.account == account);
        places.next().map(|place| {
            let folder = quote(place.folder.as_str());
            format!("`ls -ld {folder}`, then `sudo chown -R $(id -u) {folder}`")
        })
    };
    let seen = by_cause(scene, &[Cause::ForeignOwner]).into_iter();
    seen.map(|seen| match seen.text.split(':').next().and_then(command) {
        Some(command) => seen.command(command),
        None => seen,
    })
    .collect()
}

pub(crate) fn other_folder(scene: &Scene) -> Vec<Seen> {
    let seen = by_cause(scene, &[Cause::OtherFolder]).into_iter();
    seen.map(|seen| {
        let account = seen.text.split(':').next().unwrap_or_default();
        let command = match account {
            OWN_ACCOUNT => {
                "nothing, if you moved it yourself; `coffer status` says what it is worth".to_owned()
            }
            name => format!("nothing, if you moved it yourself; else `coffer login --account {name}`"),
        };
        seen.command(command)
    })
    .collect()
}

/// The same refresh token in two files: of accounts, or where the agent could look.
pub(crate) fn twice(scene: &Scene) -> Vec<Seen> {
    let mut known: Vec<(&str, &Utf8Path)> = Vec::new();
    let mut seen = Vec::new();
    let logins = scene.looked.accounts.iter().filter_map(|account| {
        let login = account.login.as_ref()?;
        Some((login.shape.details()?.fingerprint.as_deref()?, login.file.as_path()))
    });
    let others =
        scene.other_logins.iter().filter_map(|(file, print)| Some((print.as_deref()?, file.as_path())));
    for (print, file) in logins.chain(others) {
        match known.iter().find(|(other, at)| *other == print && *at != file) {
            Some((_, at)) => seen.push(Seen::new(format!("`{at}` and `{file}` hold the same refresh token"))),
            None => known.push((print, file)),
        }
    }
    seen
}

/// File and folder apart, so that each can be closed.
pub(crate) fn mode(scene: &Scene) -> Vec<Seen> {
    let uid = scene.looked.facts.user.uid;
    let mut seen = Vec::new();
    for account in &scene.looked.accounts {
        let Some(login) = &account.login else { continue };
        let folder = (!account.name.is_host()).then_some(login.folder_mode(scene)).flatten();
        let place = scene.places.iter().find(|place| place.file == login.file);
        // A folder in its place, or a link, is another check's.
        let file =
            login.uid_mode.filter(|_| place.is_none_or(|place| !place.is_folder && place.link.is_none()));
        for (path, owned, mode) in [(&login.file, file, 0o600), (&login.folder, folder, 0o700)] {
            let Some((owner, was)) = owned else { continue };
            if owner == uid && was & !mode & 0o7777 != 0 {
                let text =
                    format!("{}: `{path}` has the mode {was:04o}, wider than {mode:04o}", account.name);
                seen.push(Seen::new(text).fix(Fix::Close { path: path.clone(), mode, was }));
            }
        }
    }
    seen
}

trait FolderMode {
    fn folder_mode(&self, scene: &Scene) -> Option<(u32, u32)>;
}

impl FolderMode for coffer_plan::facts::LoginFact {
    /// Owner and mode of the login folder.
    fn folder_mode(&self, scene: &Scene) -> Option<(u32, u32)> {
        scene.places.iter().find(|place| place.folder == self.folder)?.folder_owned
    }
}
