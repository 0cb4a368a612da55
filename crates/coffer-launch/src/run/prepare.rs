//! What is done on the host before the start.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};

use super::beneath::Folder;
use super::folder::{RunFolders, make_own};
use super::{Resolve, RunError, SecretBytes, descriptors, seed};
use crate::launch::{Place, Preparation, SeedContent};
use coffer_plan::plan::{Reference, RunFolder};

/// Does one preparation.
pub(super) fn prepare(
    preparation: &Preparation,
    folders: &mut RunFolders,
    resolve: &dyn Resolve,
) -> Result<(), RunError> {
    match preparation {
        Preparation::Own(path) => make_own(path),
        Preparation::Folder(folder) => folders.make(*folder),
        Preparation::Lease { name, content } => {
            let content = resolved(resolve, content)?;
            Folder::open(&folders.path(RunFolder::Lease)?)?.replace(name, &content)
        }
        Preparation::Seed { place, file, content } => {
            let content = match content {
                SeedContent::Text(text) => SecretBytes::from(text.clone().into_bytes()),
                SeedContent::Ref(reference) => resolved(resolve, reference)?,
            };
            seed::merge(&Folder::open(&path_of(place, folders)?)?, file, &content)
        }
        Preparation::Link { place, name, to } => link(&Folder::open(&path_of(place, folders)?)?, name, to),
        Preparation::Point { place, below, folder } => {
            Folder::open(&path_of(place, folders)?)?.mount_point(below, *folder)
        }
        Preparation::Expect(seen) => descriptors::same(seen).map(drop),
        // Looked at when everything is in place.
        Preparation::Login { .. } => Ok(()),
    }
}

fn resolved(resolve: &dyn Resolve, reference: &Reference) -> Result<SecretBytes, RunError> {
    resolve.resolve(reference).map_err(|source| RunError::Resolve { reference: reference.clone(), source })
}

pub(super) fn path_of(place: &Place, folders: &RunFolders) -> Result<Utf8PathBuf, RunError> {
    match place {
        Place::Path(path) => Ok(path.clone()),
        Place::Run(folder) => folders.path(*folder),
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
