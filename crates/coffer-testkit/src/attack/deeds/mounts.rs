//! Namespaces, mounts, and what only root may.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coffer_sys::attempts::{self, Namespace};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsmount, fsopen, mount, mount_bind, mount_remount, open_tree, unmount as take_away,
};
use rustix::process::{chroot as change_root, geteuid};
use rustix::system::{delete_module, init_module, sethostname, uname};

use super::files::is_writable;
use crate::attack::{Brief, Outcome};

/// Made by the stage, to be taken away.
const MOUNTED: &str = "/run/coffer-attack/mount";

pub(crate) fn unshares(namespaces: &[Namespace]) -> Outcome {
    Outcome::of(attempts::unshare(namespaces))
}

/// Root in namespaces of our own.
fn root_of(namespaces: &[Namespace]) -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), rustix::process::getegid().as_raw());
    attempts::unshare(namespaces)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// With the rights that we have, or else with those of a namespace of our own.
fn with_rights(deed: impl Fn() -> rustix::io::Result<()>) -> Outcome {
    let Err(error) = deed() else { return Outcome::Done("with the rights at hand".to_owned()) };
    if root_of(&[Namespace::User, Namespace::Mount]).is_err() {
        return Outcome::refused(&error.into());
    }
    match deed() {
        Ok(()) => Outcome::Done("in a user namespace of its own".to_owned()),
        Err(error) => Outcome::refused(&error.into()),
    }
}

pub(crate) fn become_root(_: &Brief) -> Outcome {
    match root_of(&[Namespace::User]) {
        Ok(()) if geteuid().is_root() => Outcome::Done("in a user namespace of its own".to_owned()),
        Ok(()) => Outcome::Refused("the map does nothing".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn own_network_device(brief: &Brief) -> Outcome {
    match root_of(&[Namespace::User, Namespace::Network]) {
        Ok(()) => super::network::packet_socket(brief),
        Err(error) => Outcome::refused(&error),
    }
}

/// A folder that is there on both sides.
fn place(brief: &Brief) -> PathBuf {
    let place = brief.project.join("mount-here");
    // It may be there; else the mount fails and says why.
    let _ = fs::create_dir(&place);
    place
}

/// What was mounted goes at once.
fn mounted(place: &Path, mount: impl Fn(&Path) -> rustix::io::Result<()>) -> Outcome {
    with_rights(|| {
        mount(place)?;
        take_away(place, UnmountFlags::DETACH)
    })
}

pub(crate) fn tmpfs(brief: &Brief) -> Outcome {
    mounted(&place(brief), |place| mount("none", place, "tmpfs", MountFlags::empty(), None))
}

/// It takes a process that is the first of a new process namespace; util-linux makes one.
pub(crate) fn proc(_: &Brief) -> Outcome {
    let words = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"];
    let output = Command::new("unshare").args(words).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Outcome::Done("in namespaces of its own".to_owned()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_lowercase();
            Outcome::Refused(said.rsplit(": ").next().unwrap_or_default().to_owned())
        }
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn bind(brief: &Brief) -> Outcome {
    mounted(&place(brief), |place| mount_bind("/usr", place))
}

pub(crate) fn remount(_: &Brief) -> Outcome {
    with_rights(|| {
        // Outside it is no mount of its own; bound onto itself in a namespace that is ours it becomes one.
        match mount_remount("/usr", MountFlags::BIND, "") {
            Err(Errno::INVAL) => mount_bind("/usr", "/usr").and_then(|()| {
                let made = mount_remount("/usr", MountFlags::BIND, "");
                take_away("/usr", UnmountFlags::DETACH).and(made)
            }),
            made => made,
        }?;
        // What lies below is read-only all the same where the file system is.
        is_writable(Path::new("/usr/bin/env"))
    })
}

pub(crate) fn unmount(_: &Brief) -> Outcome {
    let place = if Path::new(MOUNTED).exists() { MOUNTED } else { "/proc/sys" };
    with_rights(|| take_away(place, UnmountFlags::DETACH))
}

pub(crate) fn fsopen_tmpfs() -> rustix::io::Result<()> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map(drop)
}

pub(crate) fn fsopen_calls(_: &Brief) -> Outcome {
    with_rights(fsopen_tmpfs)
}

pub(crate) fn clone_tree(_: &Brief) -> Outcome {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    with_rights(|| open_tree(CWD, "/usr", flags).map(drop))
}

/// Of this process alone.
pub(crate) fn chroot(_: &Brief) -> Outcome {
    with_rights(|| change_root("/usr"))
}

pub(crate) fn overlay(brief: &Brief) -> Outcome {
    mounted(&place(brief), |place| {
        mount("none", place, "overlay", MountFlags::empty(), Some(c"lowerdir=/etc:/usr"))
    })
}

/// Nothing is no module: that is said to those who may load one.
pub(crate) fn load_module(_: &Brief) -> Outcome {
    after_the_right(init_module(&[], c""), &[Errno::NOEXEC, Errno::INVAL])
}

/// There is no such module: that is said to those who may take one away.
pub(crate) fn unload_module(_: &Brief) -> Outcome {
    after_the_right(delete_module(c"coffer_attack_none", 0), &[Errno::NOENT])
}

fn after_the_right(result: rustix::io::Result<()>, errors: &[Errno]) -> Outcome {
    match result {
        Err(error) if errors.contains(&error) => Outcome::Done("the right is there".to_owned()),
        result => Outcome::of(result.map_err(io::Error::from)),
    }
}

/// To what it is already.
pub(crate) fn host_name(_: &Brief) -> Outcome {
    Outcome::of(sethostname(uname().nodename().to_bytes()).map_err(io::Error::from))
}

/// Opened and closed.
pub(crate) fn cgroup(_: &Brief) -> Outcome {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"] {
        match OpenOptions::new().write(true).open(path) {
            Ok(_) => return Outcome::Done("it was opened".to_owned()),
            Err(error) => last = error,
        }
    }
    Outcome::refused(&last)
}

/// Disks that nothing happens to when they are opened: a drive with a tray closes it.
const DISKS: [&str; 6] = ["dm-", "loop", "nvme", "sd", "vd", "xvd"];

/// Opened for reading and closed.
pub(crate) fn block_device(_: &Brief) -> Outcome {
    let listed = fs::read_dir("/sys/block").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let listed = listed.filter(|name| DISKS.iter().any(|disk| name.to_string_lossy().starts_with(disk)));
    let guessed = ["vda", "sda", "nvme0n1", "xvda"].map(Into::into);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for name in listed.chain(guessed) {
        match fs::File::open(Path::new("/dev").join(name)) {
            Ok(_) => return Outcome::Done("it was opened".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = error,
        }
    }
    Outcome::refused(&last)
}

/// One that reads as zeros.
pub(crate) fn make_device(brief: &Brief) -> Outcome {
    let path = brief.project.join("device");
    let made = mknodat(CWD, &path, FileType::CharacterDevice, Mode::RUSR, makedev(1, 5));
    if made.is_ok() {
        // It stays in the project of the test if this fails.
        let _ = fs::remove_file(&path);
    }
    Outcome::of(made.map_err(io::Error::from))
}

/// Below its own process alone.
pub(crate) fn lower_oom_score() -> io::Result<()> {
    OpenOptions::new().write(true).open("/proc/self/oom_score_adj")?.write_all(b"-500")
}
