//! Renames in trees that an agent wrote: by the folder's descriptor, without following a link, over nothing.

use std::fs::Permissions;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, ResolveFlags, fstat, openat2, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The folder around a path, whether or not we may read it; no link is followed on the way.
pub(crate) fn folder_of(path: &Utf8Path) -> io::Result<OwnedFd> {
    let parent = path.parent().unwrap_or(path);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat2(CWD, parent.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Gives something another name in its folder. One of ours that cannot be written is opened for it: an agent can close
/// its folders to us, and whatever it wanted to keep there.
pub(crate) fn rename(path: &Utf8Path, to: &Utf8Path) -> io::Result<()> {
    let folder = folder_of(path)?;
    let (from, to) = (path.file_name().unwrap_or_default(), to.file_name().unwrap_or_default());
    let renamed = || renameat_with(&folder, from, &folder, to, RenameFlags::NOREPLACE);
    match renamed() {
        Err(Errno::ACCESS) => {
            let found = fstat(&folder)?;
            if found.st_uid != geteuid().as_raw() {
                return Err(Errno::ACCESS.into());
            }
            let mode = found.st_mode & 0o7777;
            // A descriptor of a path has no mode of its own to set; its name in /proc is the folder itself.
            let itself = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let set = |mode| std::fs::set_permissions(&itself, Permissions::from_mode(mode));
            set(mode | 0o700)?;
            let done = renamed();
            set(mode)?;
            Ok(done?)
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use camino::Utf8Path;

    use super::rename;

    #[test]
    fn a_closed_folder_is_opened_for_it_and_closed_again() {
        let ground = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(ground.path()).unwrap().join("closed");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("x"), "").unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
        rename(&folder.join("x"), &folder.join("y")).unwrap();
        assert!(folder.join("y").exists());
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o555);
        let taken = rename(&folder.join("y"), &folder.join("y"));
        assert!(taken.is_err());
    }
}
