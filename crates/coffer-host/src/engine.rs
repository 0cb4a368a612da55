//! A container engine and an image of its, by its own command line. It is asked only when it is the backend.
//!
//! Each question costs tens of milliseconds. So what does not change from one run to the next is kept in the user's cache
//! folder: what the engine says of itself, under all that it depends on and for an hour at most; and what Podman says
//! of an image, for as long as the list of its images is the same file. Docker's images are asked for each time. A
//! cache that is broken or cannot be written costs the asking, and nothing else.

mod cache;
mod docker;
mod image;
mod podman;
#[cfg(test)]
mod tests;

use std::time::Duration;

use camino::Utf8Path;
use coffer_plan::facts::{ENGINE_VARIABLES, EngineFacts, EngineTrouble, HostFacts};
use coffer_plan::path::is_within;
use coffer_plan::plan::BackendKind;

use crate::inspect::mounts;
use crate::read::Content;
use crate::tools::ask::{Heard, ask};
use crate::{search, variable};

/// How long an engine may take: the first start of a rootless one sets up its storage.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds to the facts what the engine says of itself and of an image. What fails is a fact, too.
pub fn look_up_engine(facts: &mut HostFacts, kind: BackendKind, image: &str) {
    if kind.is_engine() {
        facts.engine = Some(engine(facts, kind, image));
    }
}

fn engine(facts: &HostFacts, kind: BackendKind, image: &str) -> EngineFacts {
    let mut engine = EngineFacts {
        kind,
        program: None,
        version: None,
        connection: Vec::new(),
        rootless: kind == BackendKind::Podman && facts.user.uid != 0,
        remaps_ids: false,
        controllers: Vec::new(),
        selinux: false,
        mounted: mounts().into_iter().map(|mount| mount.target).collect(),
        image: None,
        trouble: None,
    };
    let found = facts.public_value("PATH").and_then(|path| search::find(path, kind.word()));
    let Some(found) = found else { return engine };
    let program = found.fact.resolved.clone();
    // What lies in the project an agent may have written: it is named, and the check refuses it, but it is not
    // started.
    let ours = [&program, &found.path].iter().any(|path| is_within(path, &facts.project.path));
    engine.program = Some(program.clone());
    if ours {
        return engine;
    }
    let asked = Asked { facts, program: &program };
    let told = match kind {
        BackendKind::Podman => podman::ask(&asked, &mut engine, image),
        BackendKind::Docker => docker::ask(&asked, &mut engine, image),
        BackendKind::Bwrap | BackendKind::Kubernetes => Ok(()),
    };
    engine.trouble = told.err();
    engine
}

/// An engine's program, and the machine that it is asked on.
struct Asked<'a> {
    facts: &'a HostFacts,
    program: &'a Utf8Path,
}

impl Asked<'_> {
    /// What it prints; `None` when it ends with a code of its own.
    fn hear(&self, words: &[&str]) -> Result<Option<Content>, EngineTrouble> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match ask(self.program, &words, &engine_variables(), PATIENCE) {
            Heard::Said(said) => Ok(Some(said)),
            Heard::Ended(_) => Ok(None),
            Heard::Failed(said) => Err(EngineTrouble::Failed { asked: words.join(" "), said }),
        }
    }

    /// What it prints has to be there, and to read.
    fn json<T: serde::de::DeserializeOwned>(&self, words: &[&str]) -> Result<T, EngineTrouble> {
        let failed = |said: String| EngineTrouble::Failed { asked: words.join(" "), said };
        let said = self.hear(words)?.ok_or_else(|| failed("it gave up".to_owned()))?;
        serde_json::from_slice(&said).map_err(|error| failed(format!("its answer does not read: {error}")))
    }
}

/// What an engine's program gets of our environment: the same as when it makes the container.
pub fn engine_variables() -> Vec<(String, String)> {
    let set = ENGINE_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), said(name)?)));
    set.collect()
}

/// A variable of ours that is set to something.
fn said(name: &str) -> Option<String> {
    let value = variable(name).filter(|value| !value.is_empty())?;
    String::from_utf8(value.to_vec()).ok()
}
