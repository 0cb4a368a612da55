//! Whether the same object still stands at a path. A mount over it lasts as long as that: what a program of the host
//! renames over it, or makes anew after it was removed, is under no mount, and an agent can reach it.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, StatxFlags, makedev, statx};
use serde::{Deserialize, Serialize};

use super::hold::place;

/// An object, told apart from a later one that was given the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    dev: u64,
    ino: u64,
    /// When it was made, in seconds and nanoseconds; `None` where the file system does not say. Nobody can set it.
    born: Option<(i64, u32)>,
}

/// What stood at a path when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    path: Utf8PathBuf,
    object: Object,
}

impl Object {
    /// What stands under a name in a folder; no link is followed.
    pub(super) fn of(folder: impl AsFd, name: &str) -> Option<Self> {
        let asked = StatxFlags::INO | StatxFlags::BTIME;
        let found = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, asked).ok()?;
        let is_born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        Some(Self {
            dev: makedev(found.stx_dev_major, found.stx_dev_minor),
            ino: found.stx_ino,
            born: is_born.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
        })
    }
}

impl Standing {
    pub(super) fn new(path: &Utf8Path, object: Object) -> Self {
        Self { path: path.to_owned(), object }
    }

    /// What stands there now.
    pub(super) fn now(path: &Utf8Path) -> Option<Self> {
        let (folder, name) = place(path).ok()??;
        Some(Self::new(path, Object::of(&folder, name)?))
    }

    /// The path.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether it still stands there, so that what was mounted over it still lies over it.
    pub fn is_unchanged(&self) -> bool {
        Self::now(&self.path).is_some_and(|now| now.object == self.object)
    }
}
