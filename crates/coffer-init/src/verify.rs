//! Whether the sandbox shows what the host looked at.
//!
//! A backend that binds by path can be led astray: an agent of another run exchanges a file of the project for a
//! link between the host's look at it and the bind. What has been mounted cannot be exchanged any more, so the
//! look is repeated here, at the mounts themselves and before the agent exists.

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags, StatxAttributes, StatxFlags, fstat,
    fstatvfs, openat2, statx,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What one of the options `--verify`, `--verify-ro` and `--verify-mount` demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The root of a mount, and no link on the way to it.
    path: OsString,
    /// The device and inode that the host saw at the source; a bind keeps both.
    object: Option<(u64, u64)>,
    /// Whether the mount has to be read-only.
    is_read_only: bool,
}

/// A demand that is not met.
#[derive(Debug)]
pub(crate) struct Exchanged {
    /// Which of the options, counted from 0 over all kinds.
    pub(crate) index: u32,
    path: OsString,
    /// Why it could not be looked at; `None` if it is another object, no mount, or writable.
    cause: Option<Errno>,
}

impl Exchanged {
    /// The cause as a number; 0 if there is something else than what was demanded.
    pub(crate) fn errno(&self) -> i32 {
        self.cause.map_or(0, Errno::raw_os_error)
    }
}

impl fmt::Display for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not what it was when the plan was made", self.path.display())?;
        self.cause.map_or(Ok(()), |cause| write!(f, ": {}", std::io::Error::from(cause)))
    }
}

impl Demand {
    /// The demand of an option and its word; `None` if the option is none of ours or the word does not read.
    pub(crate) fn parse(option: &str, word: OsString) -> Option<Self> {
        let (object, path, is_read_only) = match option {
            "--verify" | "--verify-ro" => {
                let (object, path) = object_and_path(&word)?;
                (Some(object), path, option == "--verify-ro")
            }
            "--verify-mount" => (None, word, false),
            _ => return None,
        };
        path.as_bytes().starts_with(b"/").then_some(Self { path, object, is_read_only })
    }

    /// Where the mount is.
    pub(crate) fn path(&self) -> &OsStr {
        &self.path
    }

    fn is_met(&self) -> Result<bool, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat2(CWD, &self.path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        if let Some(object) = self.object {
            let stat = fstat(&found)?;
            if (stat.st_dev, stat.st_ino) != object {
                return Ok(false);
            }
        }
        if self.is_read_only && !fstatvfs(&found)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Ok(false);
        }
        let stat = statx(&found, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
        if !stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
            return Err(Errno::OPNOTSUPP);
        }
        Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
}

/// `DEV:INO:PATH`, both numbers decimal.
fn object_and_path(word: &OsStr) -> Option<((u64, u64), OsString)> {
    let mut parts = word.as_bytes().splitn(3, |byte| *byte == b':');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
    let object = (number()?, number()?);
    Some((object, OsString::from_vec(parts.next()?.to_vec())))
}

/// Checks the demands in their order.
pub(crate) fn verify(demands: &[Demand]) -> Result<(), Exchanged> {
    for (index, demand) in (0..).zip(demands) {
        let cause = match demand.is_met() {
            Ok(true) => continue,
            Ok(false) => None,
            Err(errno) => Some(errno),
        };
        return Err(Exchanged { index, path: demand.path.clone(), cause });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
