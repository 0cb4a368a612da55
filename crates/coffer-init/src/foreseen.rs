//! Whether more is mounted than the plan has.
//!
//! A container engine mounts things by itself, and what its own configuration names besides: volumes, devices, hooks of
//! vendors. None of those stands in a plan, so none may be there when the agent starts.

use crate::verify::Demand;
use coffer_sys::mountinfo::MountLine;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

const MOUNTS: &str = "/proc/self/mountinfo";
/// Where a device is that an engine made instead of mounting it.
const DEVICES: &str = "/dev";

/// What may be mounted besides what is demanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreseen {
    at: Vec<OsString>,
    below: Vec<OsString>,
}

/// Something that nobody foresaw.
#[derive(Debug)]
pub(crate) enum Unforeseen {
    /// A mount.
    Mount(OsString),
    /// A file or folder in `/dev`.
    Device(PathBuf),
    /// It cannot be told.
    Look(&'static str, io::Error),
}

impl fmt::Display for Unforeseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(point) => write!(f, "something is mounted on `{}`", point.display()),
            Self::Device(path) => write!(f, "`{}` is there", path.display()),
            Self::Look(what, cause) => write!(f, "cannot look at `{what}`: {cause}"),
        }
    }
}

impl Foreseen {
    /// Takes in the path of an option, `--may-mount` or `--may-mount-below`.
    pub(crate) fn add(&mut self, option: &str, path: OsString) {
        let list = if option == "--may-mount" { &mut self.at } else { &mut self.below };
        list.push(path);
    }

    /// Looks at all that is mounted. Where nothing is foreseen nothing is looked at: that sandbox has no engine.
    pub(crate) fn hold(&self, demands: &[Demand]) -> Result<(), Unforeseen> {
        if self.at.is_empty() && self.below.is_empty() {
            return Ok(());
        }
        let text = std::fs::read(MOUNTS).map_err(|error| Unforeseen::Look(MOUNTS, error))?;
        let demanded: Vec<&OsStr> = demands.iter().map(Demand::path).collect();
        if let Some(point) = self.other(&text, &demanded) {
            return Err(Unforeseen::Mount(point));
        }
        let look = |error| Unforeseen::Look(DEVICES, error);
        for entry in std::fs::read_dir(DEVICES).map_err(look)? {
            let entry = entry.map_err(look)?;
            // A link leads to what is looked at by itself.
            if !entry.file_type().map_err(look)?.is_symlink() && !self.is_at(entry.path().as_os_str()) {
                return Err(Unforeseen::Device(entry.path()));
            }
        }
        Ok(())
    }

    /// The first mount of a table that is neither demanded nor foreseen.
    fn other(&self, table: &[u8], demanded: &[&OsStr]) -> Option<OsString> {
        let points = table.split(|byte| *byte == b'\n').filter_map(MountLine::parse).map(|mount| mount.point);
        let mut others = points.filter(|point| {
            let is_below = |path: &OsString| Path::new(point).starts_with(path);
            !demanded.contains(&point.as_os_str()) && !self.is_at(point) && !self.below.iter().any(is_below)
        });
        others.next()
    }

    fn is_at(&self, path: &OsStr) -> bool {
        self.at.iter().any(|at| at == path)
    }
}

#[cfg(test)]
mod tests {
    use super::Foreseen;

    const TABLE: &[u8] = b"1 0 0:1 / / ro - overlay overlay ro\n2 1 0:2 / /proc rw - proc proc rw\n\
        3 2 0:2 /sys /proc/sys ro - proc proc rw\n4 1 8:1 /p /home/p rw - ext4 /dev/sda rw\n";

    fn other(at: &[&str], below: &[&str], demanded: &[&str]) -> Option<String> {
        let list = |paths: &[&str]| paths.iter().map(Into::into).collect();
        let foreseen = Foreseen { at: list(at), below: list(below) };
        let demanded: Vec<_> = demanded.iter().map(std::ffi::OsStr::new).collect();
        foreseen.other(TABLE, &demanded).map(|point| point.into_string().unwrap())
    }

    #[test]
    fn every_mount_is_demanded_or_foreseen() {
        assert_eq!(other(&["/"], &["/proc"], &["/home/p"]), None);
        assert_eq!(other(&["/", "/home/p"], &["/proc"], &[]), None);
        assert_eq!(other(&["/"], &["/proc"], &["/home"]), Some("/home/p".to_owned()));
        assert_eq!(other(&["/", "/proc"], &[], &["/home/p"]), Some("/proc/sys".to_owned()));
        assert_eq!(other(&["/"], &["/pro", "/proc/sys"], &["/home/p"]), Some("/proc".to_owned()));
    }
}
