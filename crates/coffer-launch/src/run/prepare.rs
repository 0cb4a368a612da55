//! What is done on the host before the start.

use std::io::ErrorKind;

use camino::Utf8Path;

use super::beneath::Folder;
use super::folder::{RunFolders, make_own};
use super::working_copy::{StateUse, WorkingCopy};
use super::{Companion, Resolve, RunError, SecretBytes, descriptors, git_copies, ground, hold, seed};
use crate::launch::{Place, Preparation, SeedContent};
use coffer_plan::plan::{Reference, RunFolder};

/// Does all of them, in their order; places that are held one after the other are held together.
pub(super) fn all(
    preparations: &[Preparation],
    folders: &mut RunFolders,
    resolve: &dyn Resolve,
    companion: &dyn Companion,
) -> Result<(), RunError> {
    for some in preparations.chunk_by(|one, next| place(one).is_some() && place(next).is_some()) {
        match some {
            [one] if place(one).is_none() => prepare(one, folders, resolve, companion)?,
            places => hold::hold(folders.root(), places.iter().filter_map(place))?,
        }
    }
    Ok(())
}

/// The place that is held, and what stands there.
fn place(preparation: &Preparation) -> Option<(&Utf8Path, Option<&str>)> {
    let Preparation::Hold { path, text } = preparation else { return None };
    Some((path, text.as_deref()))
}

/// Does one preparation.
pub(super) fn prepare(
    preparation: &Preparation,
    folders: &mut RunFolders,
    resolve: &dyn Resolve,
    companion: &dyn Companion,
) -> Result<(), RunError> {
    let tell = |files| companion.copying(files);
    match preparation {
        Preparation::Own(path) => make_own(path),
        Preparation::State(path) => {
            *folders.state() = StateUse::Writes(ground::write(path, &tell)?);
            Ok(())
        }
        Preparation::Copy { of, way } => {
            *folders.state() = StateUse::Copy(WorkingCopy::make(of, *way, &tell)?);
            Ok(())
        }
        Preparation::Folder(folder) => folders.make(*folder),
        Preparation::File { name, mode, content } => {
            folders.make_file(name, *mode, &content_of(resolve, content)?)
        }
        Preparation::Lease { name, content } => {
            let content = resolved(resolve, content)?;
            Folder::open(&folders.path(RunFolder::Lease)?)?.create(name, &content)
        }
        Preparation::Seed { place, file, content } => {
            seed::merge(&open(place, folders)?, file, &content_of(resolve, content)?)
        }
        Preparation::Link { place, name, to } => link(&open(place, folders)?, name, to),
        Preparation::Point { place, below, folder } => open(place, folders)?.mount_point(below, *folder),
        Preparation::Guard(guard) => git_copies::prepare(guard, folders),
        Preparation::Hold { path, text } => hold::hold(folders.root(), [(&**path, text.as_deref())]),
        Preparation::Expect(seen) => descriptors::same(seen).map(drop),
        // Put in when the backend begins; the others are looked at when everything is in place, and at the end.
        Preparation::Part(_) | Preparation::Login { .. } | Preparation::Keep(_) => Ok(()),
    }
}

fn content_of(resolve: &dyn Resolve, content: &SeedContent) -> Result<SecretBytes, RunError> {
    match content {
        SeedContent::Text(text) => Ok(SecretBytes::from(text.clone().into_bytes())),
        SeedContent::Ref(reference) => resolved(resolve, reference),
    }
}

fn resolved(resolve: &dyn Resolve, reference: &Reference) -> Result<SecretBytes, RunError> {
    resolve.resolve(reference).map_err(|source| RunError::Resolve { reference: reference.clone(), source })
}

/// The folder of a place: a working copy is not where the host could find it by its path.
pub(super) fn open(place: &Place, folders: &RunFolders) -> Result<Folder, RunError> {
    match (place, folders.copy()) {
        (Place::Run(RunFolder::Copy), Some(copy)) => copy.folder(),
        (Place::Run(folder), _) => Folder::open(&folders.path(*folder)?),
        (Place::Path(path), _) => Folder::open(path),
    }
}

/// Makes the link, also over an older one. A file there is a login that was made inside: it is kept.
fn link(folder: &Folder, name: &str, to: &Utf8Path) -> Result<(), RunError> {
    match folder.read_link(name) {
        Ok(text) if text == to.as_str().as_bytes() => Ok(()),
        Ok(_) => folder.remove(name).and_then(|()| folder.symlink(name, to)),
        Err(error) if error.kind() == ErrorKind::NotFound => folder.symlink(name, to),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(RunError::StateHasLogin { path: folder.path().join(name) })
        }
        Err(source) => Err(RunError::State { action: "read", path: folder.path().join(name), source }),
    }
}
