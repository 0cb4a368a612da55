//! What `doctor` looks at besides the facts of a plan: mounts, modes, ages.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_sys::mountinfo::MountLine;
use rustix::fs::{Access, AtFlags, CWD, StatxFlags, statat, statx};

use crate::read::{may, read_kernel};

#[cfg(test)]
mod tests;

/// A mount of this process's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where it is.
    pub target: Utf8PathBuf,
    /// What of its file system is shown there; ends with `//deleted` when its source has no name any more.
    pub root: String,
    /// Whether nothing can be written through it.
    pub read_only: bool,
}

/// A file or folder itself, no link followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Its owner.
    pub uid: u32,
    /// Its permission bits (the lower twelve).
    pub mode: u32,
    /// When it was changed last, Unix ms; whoever owns it can say anything.
    pub modified_ms: i64,
    /// When content, name, owner or mode of it were changed last, Unix ms, by the kernel alone.
    pub changed_ms: i64,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Whether the machine has swap space in use (`/proc/swaps` has a line besides its title).
pub fn swaps() -> bool {
    read_kernel(Utf8Path::new("/proc/swaps")).is_some_and(|text| text.lines().count() > 1)
}

/// How much of its memory a process of this user may keep from being swapped out, in bytes; `None` without a limit.
pub fn lockable() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Memlock).current
}

/// All mounts, in the order of the kernel: later ones cover earlier ones. Empty without `/proc`.
pub fn mounts() -> Vec<Mounted> {
    let text = read_kernel(Utf8Path::new("/proc/self/mountinfo")).unwrap_or_default();
    text.lines().filter_map(mounted).collect()
}

fn mounted(line: &str) -> Option<Mounted> {
    let MountLine { root, point, read_only, .. } = MountLine::parse(line.as_bytes())?;
    Some(Mounted { target: point.into_string().ok()?.into(), root: root.into_string().ok()?, read_only })
}

/// What stands at a path itself; `None` when nothing does, or nobody may look.
pub fn owned(path: &Utf8Path) -> Option<Owned> {
    let stat = statat(CWD, path.as_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(Owned {
        uid: stat.st_uid,
        mode: stat.st_mode & 0o7777,
        modified_ms: ms(stat.st_mtime, stat.st_mtime_nsec),
        changed_ms: ms(stat.st_ctime, stat.st_ctime_nsec),
        is_folder: rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir(),
    })
}

/// When what stands at a path was made, Unix ms: nobody can set that. `None` where nothing does, or where the file system
/// does not say.
pub fn born_ms(path: &Utf8Path) -> Option<i64> {
    let found = statx(CWD, path.as_str(), AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BTIME).ok()?;
    let is_born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    is_born.then(|| ms(found.stx_btime.tv_sec, found.stx_btime.tv_nsec.into()))
}

fn ms(seconds: i64, nanoseconds: u64) -> i64 {
    seconds.saturating_mul(1000).saturating_add_unsigned(nanoseconds / 1_000_000)
}

/// Whether we may make files in a folder.
pub fn may_write(folder: &Utf8Path) -> bool {
    may(folder, Access::WRITE_OK | Access::EXEC_OK)
}
