//! What lies in folders: names, links, and the content of regular files.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use coffer_sys::mountinfo::MountLine;
use rustix::fs::OFlags;

use super::{Kind, Place, Sink};

/// What of a file is read, in bytes.
const MOST_OF_A_FILE: u64 = 1024 * 1024 * 1024;
/// How much is read at once.
const CHUNK: usize = 256 * 1024;
/// File systems that hold no files of anybody's.
const KERNEL_ONES: [&str; 10] = [
    "proc",
    "sysfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "debugfs",
    "tracefs",
    "securityfs",
    "binfmt_misc",
];
/// Folders of the system; where they are bound read-only, nothing of this run can be in them.
const SYSTEM: [&str; 10] =
    ["/usr", "/opt", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/snap"];

/// Where something is mounted, and what.
struct Mount {
    target: PathBuf,
    kind: String,
    read_only: bool,
}

/// Everything below the root of this mount namespace but `leave`, each with the reason.
pub(crate) fn everything(leave: &[(PathBuf, String)], sink: &mut impl Sink) -> io::Result<()> {
    let mounts = mounts();
    let why = |path: &Path| {
        if let Some((_, why)) = leave.iter().find(|(left, _)| left == path) {
            return Some(why.clone());
        }
        // The last mount at a place is the one that is seen.
        let mount = mounts.iter().rev().find(|mount| mount.target == path)?;
        if KERNEL_ONES.contains(&mount.kind.as_str()) {
            return Some(format!("the kernel's own (`{}`)", mount.kind));
        }
        let of_system = SYSTEM.iter().any(|folder| path.starts_with(folder));
        (of_system && mount.read_only).then(|| "a folder of the system, read-only from the host".to_owned())
    };
    below(Path::new("/"), &why, sink)
}

/// Everything below a folder. `why` gives the reason why a folder is left out, if it is.
pub(crate) fn below(
    root: &Path,
    why: &dyn Fn(&Path) -> Option<String>,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let mut folders = vec![root.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        if let Some(why) = why(&folder) {
            sink.left_out(&folder.to_string_lossy(), &why)?;
            continue;
        }
        let Ok(found) = std::fs::symlink_metadata(&folder) else { continue };
        if !found.is_dir() {
            one(&folder, &found, &mut seen, sink)?;
            continue;
        }
        if !seen.insert((found.dev(), found.ino())) {
            continue;
        }
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                sink.left_out(&folder.to_string_lossy(), &error.to_string())?;
                continue;
            }
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            names.extend_from_slice(entry.file_name().as_bytes());
            names.push(b'\n');
            folders.push(entry.path());
        }
        sink.whole(&Place::of(Kind::Names, folder.to_string_lossy()), &names)?;
    }
    Ok(())
}

fn one(
    path: &Path,
    found: &std::fs::Metadata,
    seen: &mut BTreeSet<(u64, u64)>,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let place = Place::of(Kind::File, path.to_string_lossy());
    let kind = found.file_type();
    if kind.is_symlink() {
        let to = std::fs::read_link(path).unwrap_or_default();
        return sink.whole(&place, to.as_os_str().as_bytes());
    }
    if !kind.is_file() {
        let what = if kind.is_socket() {
            "a socket"
        } else if kind.is_fifo() {
            "a named pipe"
        } else {
            "a device"
        };
        return sink.left_out(&place.name, what);
    }
    if !seen.insert((found.dev(), found.ino())) {
        return Ok(());
    }
    // Neither a link nor a pipe that came in its place holds anybody up.
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => content(&file, &place, sink),
        Err(error) => sink.left_out(&place.name, &error.to_string()),
    }
}

/// The content of an open file.
pub(super) fn content(mut file: &File, place: &Place, sink: &mut impl Sink) -> io::Result<()> {
    sink.begin(place)?;
    let mut buffer = vec![0_u8; CHUNK];
    let mut left = MOST_OF_A_FILE;
    while left > 0 {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) => return sink.left_out(&place.name, &error.to_string()),
        };
        sink.bytes(buffer.get(..count).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    sink.left_out(&place.name, "what comes after its first gigabyte")
}

fn mounts() -> Vec<Mount> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let MountLine { point, kind, read_only, .. } = MountLine::parse(line.as_bytes())?;
    Some(Mount { target: point.into(), kind, read_only })
}
