//! Cofferdam's own small files: what the user trusts, and the plan of the last run in each project.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_host::read_config;
use coffer_plan::config::Trust;
use coffer_plan::derive::last_plan_file;
use coffer_plan::facts::HostFacts;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The project's own config file.
pub(crate) const PROJECT_CONFIG: &str = ".coffer.toml";

/// A file of a project with the content that the user trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustedFile {
    pub(crate) file: Utf8PathBuf,
    pub(crate) sha256: String,
}

pub(crate) fn trust_file(facts: &HostFacts) -> Utf8PathBuf {
    facts.folders.data.join("trust.json")
}

/// What the user trusts.
pub(crate) fn trust(facts: &HostFacts) -> Result<Trust, Error> {
    let path = trust_file(facts);
    let Some(text) = read_config(&path)? else { return Ok(Trust::default()) };
    let files: Vec<TrustedFile> =
        serde_json::from_str(&text).map_err(|source| Error::StoreBroken { path, source })?;
    Ok(Trust(files.into_iter().map(|trusted| (trusted.file, trusted.sha256)).collect()))
}

/// Adds files to what the user trusts; an older content of the same file is trusted no more.
pub(crate) fn add_trust(facts: &HostFacts, more: &[TrustedFile]) -> Result<(), Error> {
    let mut known = trust(facts)?.0;
    known.retain(|(file, _)| !more.iter().any(|trusted| trusted.file == *file));
    known.extend(more.iter().map(|trusted| (trusted.file.clone(), trusted.sha256.clone())));
    let files: Vec<TrustedFile> =
        known.into_iter().map(|(file, sha256)| TrustedFile { file, sha256 }).collect();
    replace(&trust_file(facts), &serde_json::to_string_pretty(&files).map_err(Error::Json)?)
}

/// Which remembered plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// The last run's.
    Last,
    /// The last one that gave more than before and was agreed to.
    Agreed,
}

fn plan_file(facts: &HostFacts, agent: &str, which: Remembered) -> Utf8PathBuf {
    let last = last_plan_file(facts, agent);
    match which {
        Remembered::Last => last,
        Remembered::Agreed => last.with_extension("agreed.json"),
    }
}

/// A remembered plan, as JSON. One that does not read counts as none: it is only compared with.
pub(crate) fn plan(
    facts: &HostFacts,
    agent: &str,
    which: Remembered,
) -> Result<Option<serde_json::Value>, Error> {
    let text = read_config(&plan_file(facts, agent, which))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Remembers a plan.
pub(crate) fn save_plan(
    facts: &HostFacts,
    agent: &str,
    which: Remembered,
    plan: &serde_json::Value,
) -> Result<(), Error> {
    replace(&plan_file(facts, agent, which), &plan.to_string())
}

/// Replaces a file at once: a temporary file beside it, synced, renamed, the folder synced.
pub(crate) fn replace(path: &Utf8Path, text: &str) -> Result<(), Error> {
    let failed = |source: std::io::Error| Error::Store { action: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Utf8Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
