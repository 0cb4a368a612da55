//! Where logins lie: mounts, links, locks.

use coffer_launch::launch::quote;
use coffer_plan::facts::PathKind;

use super::super::finding::{Seen, Severity};
use super::super::fix::Fix;
use super::super::scene::{LoginPlace, Scene};

/// Locks older than this are abandoned (measured: the agent breaks them from about here on).
const OLD_MS: i64 = 60_000;

fn each(scene: &Scene, look: impl Fn(&LoginPlace) -> Option<String>) -> Vec<Seen> {
    let places = scene.places.iter();
    places.filter_map(|place| Some(Seen::new(format!("{}: {}", place.account, look(place)?)))).collect()
}

pub(crate) fn link(scene: &Scene) -> Vec<Seen> {
    each(scene, |place| place.link.as_ref().map(|to| format!("`{}` is a link to `{to}`", place.file)))
}

pub(crate) fn file_mount(scene: &Scene) -> Vec<Seen> {
    each(scene, |place| {
        let mount = scene.mounts.iter().rfind(|mount| mount.target == place.file)?;
        let access = if mount.read_only { "read-only" } else { "read-write" };
        Some(format!("`{}` is mounted by itself, {access}", place.file))
    })
}

pub(crate) fn detached(scene: &Scene) -> Vec<Seen> {
    each(scene, |place| {
        let mount = scene.mounts.iter().rfind(|mount| mount.target == place.file)?;
        // The kernel's mark for a source whose name is gone or leads to another file.
        mount.root.ends_with("//deleted").then(|| format!("the source of `{}` was replaced", place.file))
    })
}

pub(crate) fn read_only(scene: &Scene) -> Vec<Seen> {
    each(scene, |place| {
        if !place.exists {
            return None;
        }
        let mount = scene.mounts.iter().rfind(|mount| mount.target == place.file);
        if mount.is_some_and(|mount| mount.read_only) {
            return Some(format!("`{}` is mounted read-only", place.file));
        }
        let parent = place.folder.parent().unwrap_or(&place.folder);
        match (place.folder_writable, place.parent_writable) {
            (false, _) => Some(format!("`{}` cannot be written", place.folder)),
            (true, false) => {
                Some(format!("`{parent}`, which takes the lock of the agent, cannot be written"))
            }
            (true, true) => None,
        }
    })
}

pub(crate) fn is_folder(scene: &Scene) -> Vec<Seen> {
    let folders = scene.places.iter().filter(|place| place.is_folder);
    folders
        .map(|place| {
            let text = format!("{}: `{}` is a folder", place.account, place.file);
            Seen::new(text).command(format!("`rmdir {}`, then sign in", quote(place.file.as_str())))
        })
        .collect()
}

/// The login file that the agent would find without its variables.
pub(crate) fn elsewhere(scene: &Scene) -> Vec<Seen> {
    let Some(login) = &scene.looked.facts.login else { return Vec::new() };
    let is_there = scene.places.iter().any(|place| place.file == login.file && place.exists);
    let others = scene.other_logins.iter().map(|(file, _)| file).filter(|other| **other != login.file);
    let severity = if is_there { Severity::Note } else { Severity::Warning };
    others
        .map(|other| {
            let text = format!(
                "the agent looks for `{}` (by {}), and there is `{other}`",
                login.file, login.found_by
            );
            Seen::new(text)
                .severity(severity)
                .command(format!("`unset {}`, or sign in there", login.found_by))
        })
        .collect()
}

pub(crate) fn moved(scene: &Scene) -> Vec<Seen> {
    let facts = &scene.looked.facts;
    let templates = scene.looked.agent.login.iter().flat_map(|layout| &layout.folders);
    let names = templates.filter_map(|template| template.0.strip_prefix("${")?.split([':', '}']).next());
    let names = names.filter_map(|name| Some((name, facts.public_value(name)?)));
    names
        .map(|(name, value)| {
            let missing = facts.path(value.into()).is_none_or(|fact| fact.kind != PathKind::Folder);
            let more = if missing { ", which is no folder" } else { "" };
            let seen = Seen::new(format!("`{name}` is `{value}`{more}"));
            if missing { seen.severity(Severity::Warning) } else { seen }
        })
        .collect()
}

pub(crate) fn lock_old(scene: &Scene) -> Vec<Seen> {
    let now = scene.looked.facts.now_ms;
    let old = scene.locks.iter().filter(|lock| now.saturating_sub(lock.modified_ms) > OLD_MS);
    old.map(|lock| {
        let age = now.saturating_sub(lock.modified_ms) / 1000;
        Seen::new(format!("`{}` is {age} s old", lock.path)).fix(Fix::Unlock(Box::new(lock.unlock.clone())))
    })
    .collect()
}

pub(crate) fn lock_future(scene: &Scene) -> Vec<Seen> {
    let now = scene.looked.facts.now_ms;
    let early = scene.locks.iter().filter(|lock| lock.modified_ms.saturating_sub(now) > OLD_MS);
    early
        .map(|lock| {
            let ahead = lock.modified_ms.saturating_sub(now) / 1000;
            let text = format!("`{}` is dated {ahead} s ahead", lock.path);
            Seen::new(text).fix(Fix::Unlock(Box::new(lock.unlock.clone())))
        })
        .collect()
}
