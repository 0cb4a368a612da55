//! The project folder: where the command was given, or the top of the git work tree around it.

use std::io;

use camino::Utf8Path;
use coffer_plan::facts::{GitFacts, PathKind, ProjectFacts, UserFacts};
use sha2::{Digest, Sha256};

use crate::config::{PROJECT_CONFIG, read_project_config};
use crate::error::HostError;
use crate::{git, paths};

/// The project around `start`.
pub(crate) fn project(start: &Utf8Path, user: &UserFacts) -> Result<ProjectFacts, HostError> {
    let unreachable = |path: &Utf8Path, kind: PathKind| HostError::Project {
        path: path.to_owned(),
        source: match kind {
            PathKind::Missing => io::ErrorKind::NotFound.into(),
            PathKind::Unreadable => io::ErrorKind::PermissionDenied.into(),
            PathKind::LinkLoop => rustix::io::Errno::LOOP.into(),
            PathKind::File | PathKind::Socket | PathKind::Device | PathKind::Fifo | PathKind::Folder => {
                io::ErrorKind::NotADirectory.into()
            }
        },
    };
    let here = paths::look(start);
    if here.kind != PathKind::Folder {
        return Err(unreachable(start, here.kind));
    }
    let start = crate::user::plain_folder("the current folder", here.resolved.as_os_str())?;
    let work_tree = git::work_tree(&start, user.uid).filter(|tree| !holds_home(&tree.top, user));
    let (path, repository) = match work_tree {
        Some(tree) => (tree.top, tree.repository),
        None => (start.clone(), None),
    };
    let fact = paths::look(&path);
    if fact.kind != PathKind::Folder {
        return Err(unreachable(&path, fact.kind));
    }
    let config = read_project_config(&path.join(PROJECT_CONFIG))?;
    Ok(ProjectFacts {
        path,
        start,
        uid: fact.uid,
        git: repository.map(|repository| GitFacts {
            git_dir: repository.git_dir,
            common_dir: repository.common_dir,
            verified: repository.verified,
        }),
        config_sha256: config.map(|text| sha256(text.as_bytes())),
    })
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A work tree that holds the whole home folder (dotfiles kept in git) is no project: all that a sandbox
/// must not see lies in it.
fn holds_home(top: &Utf8Path, user: &UserFacts) -> bool {
    top == "/" || user.home.as_ref().is_some_and(|home| home.starts_with(top))
}

#[cfg(test)]
mod tests;
