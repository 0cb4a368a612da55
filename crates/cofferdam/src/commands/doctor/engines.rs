//! The container engines of this machine: what a run with `--backend` would find.

use coffer_launch::backend::{BackendError, oci};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::BackendKind;
use coffer_plan::show::audit::printable;
use schemars::JsonSchema;
use serde::Serialize;

/// The engines that a run can be made by.
const KINDS: [BackendKind; 2] = [BackendKind::Podman, BackendKind::Docker];

/// A container engine, found or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct EngineSeen {
    /// The word for `--backend`.
    pub(crate) backend: String,
    /// Its program; null when it is not on the PATH.
    pub(crate) program: Option<String>,
    /// The version of what makes the containers; null when it does not say.
    pub(crate) version: Option<String>,
    /// Whether it has no rights but yours; null when it does not say.
    pub(crate) rootless: Option<bool>,
    /// Limits that it can hold.
    pub(crate) limits: Vec<String>,
    /// Whether `coffer run` can use it, once there is an image.
    pub(crate) usable: bool,
    /// What is missing: an engine that can be used, or the agent's image on it; null when nothing is.
    pub(crate) missing: Option<String>,
    /// What mends that.
    pub(crate) fix: Option<String>,
}

/// Asks each of them, as a run would.
pub(super) fn seen(facts: &HostFacts, image: &str) -> Vec<EngineSeen> {
    let one = |kind: BackendKind| {
        let mut facts = facts.clone();
        coffer_host::look_up_engine(&mut facts, kind, image);
        of(kind, &facts, image)
    };
    KINDS.into_iter().map(one).collect()
}

fn of(kind: BackendKind, facts: &HostFacts, image: &str) -> EngineSeen {
    let refused = match oci::supports(kind, facts) {
        Ok(_) => None,
        Err(BackendError::ImageMissing { .. }) => {
            Some(BackendError::ImageMissing { kind, image: Some(image.to_owned()) })
        }
        Err(other) => Some(other),
    };
    let engine = facts.engine.as_ref().filter(|engine| engine.program.is_some());
    let answers = engine.filter(|engine| engine.version.is_some());
    EngineSeen {
        backend: kind.word().to_owned(),
        program: engine.and_then(|engine| engine.program.as_ref()).map(ToString::to_string),
        version: answers.and_then(|engine| engine.version.clone()),
        rootless: answers.map(|engine| engine.rootless),
        limits: answers.map(|engine| engine.controllers.clone()).unwrap_or_default(),
        usable: matches!(refused, None | Some(BackendError::ImageMissing { .. })),
        missing: refused.as_ref().map(ToString::to_string),
        fix: refused.as_ref().map(BackendError::hint),
    }
}

/// For people: a line an engine, with what is missing below it.
pub(super) fn text(engines: &[EngineSeen]) -> String {
    let mut text = String::new();
    for EngineSeen { backend, program, version, rootless, limits, usable, missing, fix } in engines {
        let mut words = Vec::new();
        words.extend(version.clone());
        words.extend(
            rootless.map(|rootless| if rootless { "rootless" } else { "with root's rights" }.to_owned()),
        );
        if version.is_some() {
            let all = if limits.is_empty() { "none".to_owned() } else { limits.join(", ") };
            words.push(format!("limits: {all}"));
        }
        let state = match (program, usable) {
            (None, _) => "not there",
            (Some(_), true) => "usable",
            (Some(_), false) => "not usable",
        };
        let about = if words.is_empty() { String::new() } else { format!(" ({})", words.join("; ")) };
        text.push_str(&format!("engine {backend}: {state}{}\n", printable(&about)));
        if let (Some(_), Some(missing)) = (program, missing) {
            text.push_str(&format!("  missing: {}\n", printable(missing)));
        }
        if let (Some(_), Some(fix)) = (program, fix) {
            text.push_str(&format!("  fix: {}\n", printable(fix)));
        }
    }
    text
}

#[cfg(test)]
mod tests;
