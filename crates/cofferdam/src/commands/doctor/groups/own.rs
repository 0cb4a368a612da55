//! Cofferdam's own files.

use super::super::finding::Seen;
use super::super::fix::Fix;
use super::super::scene::Scene;
use crate::commands::ledger::why;

pub(crate) fn ledger(scene: &Scene) -> Vec<Seen> {
    match &scene.ledger {
        Ok(verified) => {
            let broken = verified.broken.iter();
            broken.map(|broken| Seen::new(format!("line {}: {}", broken.line, why(&broken.why)))).collect()
        }
        Err(error) => vec![Seen::new(error)],
    }
}

pub(crate) fn journal(scene: &Scene) -> Vec<Seen> {
    let journals = scene.journals.iter();
    journals
        .map(|(account, path)| {
            let seen = Seen::new(format!("{account}: `{path}` is there"));
            seen.command(format!("`coffer refresh --account {account}`"))
        })
        .collect()
}

pub(crate) fn identity(scene: &Scene) -> Vec<Seen> {
    let Err((error, hint)) = &scene.identity else { return Vec::new() };
    let seen = Seen::new(error);
    vec![hint.iter().fold(seen, |seen, hint| seen.command(hint))]
}

pub(crate) fn mode(scene: &Scene) -> Vec<Seen> {
    let open = scene.own.iter().filter(|own| own.mode & 0o077 != 0);
    open.map(|own| {
        let text = format!("`{}` has the mode {:04o}", own.path, own.mode);
        Seen::new(text).fix(Fix::Close { path: own.path.clone(), mode: own.mode & 0o700, was: own.mode })
    })
    .collect()
}

pub(crate) fn unread(scene: &Scene) -> Vec<Seen> {
    scene.looked.unread.iter().map(Seen::new).collect()
}

pub(crate) fn two_folders(scene: &Scene) -> Vec<Seen> {
    let own = &scene.looked.facts.folders.data;
    let others = scene.other_data.iter().filter(|other| *other != own);
    others.map(|other| Seen::new(format!("`{own}` is in use, and `{other}` has accounts as well"))).collect()
}

pub(crate) fn leftovers(scene: &Scene) -> Vec<Seen> {
    if scene.left.is_empty() {
        return Vec::new();
    }
    let runtime = scene.looked.facts.folders.runtime.clone();
    let names: Vec<String> = scene.left.iter().map(|path| format!("`{path}`")).collect();
    vec![Seen::new(names.join(", ")).fix(Fix::Sweep { runtime, left: scene.left.clone() })]
}
