//! Programs on the PATH.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{PathFact, PathKind};
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
    search_path
        .split(':')
        .filter(|entry| entry.starts_with('/'))
        .find_map(|entry| executable(&coffer_plan::path::clean(&Utf8Path::new(entry).join(name))))
}

/// The program at a path, if it is an executable file.
pub(crate) fn executable(path: &Utf8Path) -> Option<Program> {
    if !may(path, Access::EXEC_OK) {
        return None;
    }
    let fact = paths::look(path);
    (fact.kind == PathKind::File).then(|| Program { path: path.to_owned(), fact })
}
