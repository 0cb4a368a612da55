//! Programs on the PATH.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, PathFact, PathKind};
use coffer_plan::path::PathTemplate;
use rustix::fs::Access;

use crate::paths;
use crate::read::may;

/// A program as found on the PATH, and what it really is.
pub(crate) struct Program {
    /// As found.
    pub(crate) path: Utf8PathBuf,
    /// Links followed.
    pub(crate) fact: PathFact,
}

/// The first executable file of that name. Entries that are not absolute are left out: what they name
/// depends on the folder one stands in, which an agent may have filled.
pub(crate) fn find(search_path: &str, name: &str) -> Option<Program> {
    find_all(search_path, name).next()
}

/// Every one of them, in the path's order.
pub(crate) fn find_all(search_path: &str, name: &str) -> impl Iterator<Item = Program> {
    search_path
        .split(':')
        .filter(|entry| entry.starts_with('/'))
        .filter_map(move |entry| executable(&coffer_plan::path::clean(&Utf8Path::new(entry).join(name))))
}

/// The real path of a program that a person named, looked up as a shell would: by a path from the root, or a
/// name on the PATH of these facts. `None` when there is no such executable file.
pub fn program(facts: &HostFacts, name: &str) -> Option<Utf8PathBuf> {
    let found = match name.contains('/') {
        true => executable(&PathTemplate(name.to_owned()).expand(facts)?)?,
        false => find(facts.public_value("PATH")?, name)?,
    };
    Some(found.fact.resolved)
}

/// The program at a path, if it is an executable file.
pub(crate) fn executable(path: &Utf8Path) -> Option<Program> {
    if !may(path, Access::EXEC_OK) {
        return None;
    }
    let fact = paths::look(path);
    (fact.kind == PathKind::File).then(|| Program { path: path.to_owned(), fact })
}
