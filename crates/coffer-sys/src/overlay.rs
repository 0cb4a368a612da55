//! An overlay mounted in a mount namespace of its own, so that bubblewrap finds it there by its path.
//!
//! Debian's bubblewrap 0.8 has no overlays. A child of ours makes the namespaces (as an ordinary user a user
//! namespace, too, in which only this user exists), mounts, hands the tree and the namespaces back as descriptors
//! and ends. They live as long as somebody holds them: no process has to, and nothing is left of them after a
//! crash. The backend is moved into them between `fork` and `execve`, and is our child as ever.

use std::ffi::{CStr, CString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, Mode, OFlags, fstat, open, readlink};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::path::DecInt;
use rustix::process::{DumpableBehavior, Pid, WaitOptions, getegid, geteuid, set_dumpable_behavior, waitpid};
use rustix::thread::{
    CapabilitySet, LinkNameSpaceType, UnshareFlags, capabilities, move_into_link_name_space, unshare_unsafe,
};

/// What a child says when all went well, in the place of a step's number.
const DONE: u8 = u8::MAX;

/// What is laid over what.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// Only read.
    pub lower: BorrowedFd<'a>,
    /// Takes what is changed.
    pub upper: BorrowedFd<'a>,
    /// An empty folder on the file system of `upper`.
    pub work: BorrowedFd<'a>,
    /// Where it shall be found: an absolute path to a folder of ours.
    pub target: &'a Path,
}

/// A mounted overlay. Dropped, it goes, as soon as nobody is in its namespaces any more.
#[derive(Debug)]
pub struct Overlay {
    tree: OwnedFd,
    namespaces: Namespaces,
}

#[derive(Debug)]
struct Namespaces {
    user: Option<OwnedFd>,
    mounts: OwnedFd,
}

/// What could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A child could not be had, or said nothing.
    Child,
    /// Make the namespaces.
    Namespaces,
    /// Map this user into the user namespace.
    Identity,
    /// Keep the mount from spreading to the host.
    Private,
    /// Begin an overlay.
    Open,
    /// Name its layers.
    Layers,
    /// Make it of them.
    Create,
    /// Put it in its place.
    Mount,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Child,
        Self::Namespaces,
        Self::Identity,
        Self::Private,
        Self::Open,
        Self::Layers,
        Self::Create,
        Self::Mount,
    ];

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Child => "start a child for the mount",
            Self::Namespaces => "make the namespaces of the mount",
            Self::Identity => "map this user into the namespace",
            Self::Private => "keep the mount to itself",
            Self::Open => "use overlays",
            Self::Layers => "name the layers",
            Self::Create => "lay one folder over the other",
            Self::Mount => "mount the overlay",
        }
    }
}

/// Why an overlay was not mounted.
#[derive(Debug)]
pub struct OverlayError {
    /// Where.
    pub step: Step,
    /// Why.
    pub source: io::Error,
}

/// What a child needs, made before it: it must not allocate.
struct Words {
    lower: Seen,
    upper: Seen,
    work: Seen,
    target: CString,
    maps: Option<Maps>,
}

/// The maps of users and groups of a namespace in which only this user exists.
pub(crate) struct Maps([String; 2]);

impl Maps {
    /// `None` for whoever may mount without a user namespace: root, but not a container's.
    pub(crate) fn of(uid: rustix::process::Uid, gid: rustix::process::Gid) -> Option<Self> {
        let map = |id: u32| format!("{id} {id} 1");
        let may_mount =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
        (!uid.is_root() || !may_mount).then(|| Self([map(uid.as_raw()), map(gid.as_raw())]))
    }
}

/// A folder as it was seen here. A descriptor from here names the mount of this namespace, which older kernels
/// refuse as a layer elsewhere; so the child opens it anew, and it has to be the same.
struct Seen {
    path: CString,
    dev: u64,
    ino: u64,
}

impl Overlay {
    /// Mounts one.
    ///
    /// # Errors
    /// When the kernel, a security module or the file system does not let us.
    pub fn mount(layers: &Layers<'_>) -> Result<Self, OverlayError> {
        let failed = |source: io::Error| OverlayError { step: Step::Child, source };
        let words = Words::of(layers).map_err(failed)?;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|errno| failed(errno.into()))?;
        // SAFETY: the child makes system calls only, on values made before it, and ends by `_exit`; whatever lock
        // another thread holds at this moment is never waited for there.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let told = match in_child(&words) {
                Ok(made) => tell_done(&theirs, &made),
                Err((step, errno)) => tell_failed(&theirs, step, errno),
            };
            // SAFETY: it ends this process at once; nothing of it is shared but descriptors.
            unsafe { libc::_exit(i32::from(told.is_err())) };
        }
        drop(theirs);
        if child < 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        let heard = hear(&ours);
        // Where our own parent left `SIGCHLD` ignored there is nothing to wait for.
        let _ = waitpid(Pid::from_raw(child), WaitOptions::empty());
        heard
    }

    /// The root of what can be seen; files below it can be reached from here.
    pub fn tree(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }

    /// Lets the child of `command` begin in the overlay's namespaces, where nothing else differs from here.
    ///
    /// # Errors
    /// When the descriptors of the namespaces cannot be doubled.
    pub fn enter(&self, command: &mut Command) -> io::Result<()> {
        let user = self.namespaces.user.as_ref().map(OwnedFd::try_clone).transpose()?;
        let mounts = self.namespaces.mounts.try_clone()?;
        let enter = move || {
            if let Some(user) = &user {
                move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
            }
            move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))?;
            Ok(())
        };
        // SAFETY: between fork and exec the closure only makes system calls, and allocates nothing.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}

impl Words {
    fn of(layers: &Layers<'_>) -> io::Result<Self> {
        Ok(Self {
            lower: Seen::of(layers.lower)?,
            upper: Seen::of(layers.upper)?,
            work: Seen::of(layers.work)?,
            target: CString::new(layers.target.as_os_str().as_bytes())?,
            maps: Maps::of(geteuid(), getegid()),
        })
    }
}

impl Seen {
    fn of(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let path = readlink(format!("/proc/self/fd/{}", folder.as_raw_fd()), Vec::new())?;
        let found = fstat(folder)?;
        Ok(Self { path, dev: found.st_dev, ino: found.st_ino })
    }

    fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = open(self.path.as_c_str(), flags, Mode::empty())?;
        let found = fstat(&folder)?;
        if (found.st_dev, found.st_ino) == (self.dev, self.ino) { Ok(folder) } else { Err(Errno::STALE) }
    }
}

/// What the child hands back.
struct Made {
    tree: OwnedFd,
    user: Option<OwnedFd>,
    mounts: OwnedFd,
}

/// Parts a child from the mounts of the host. It makes system calls only, and allocates nothing.
pub(crate) fn part(maps: Option<&Maps>) -> Result<(), (Step, Errno)> {
    let at = |step: Step| move |errno: Errno| (step, errno);
    let users = if maps.is_some() { UnshareFlags::NEWUSER } else { UnshareFlags::empty() };
    // SAFETY: this process has one thread and shares no memory that the flags would part.
    unsafe { unshare_unsafe(users | UnshareFlags::NEWNS) }.map_err(at(Step::Namespaces))?;
    if let Some(Maps([uids, gids])) = maps {
        // The files of a process that may not be dumped belong to root, and our parent is such a one.
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at(Step::Identity))?;
        write(c"/proc/self/setgroups", b"deny").map_err(at(Step::Identity))?;
        write(c"/proc/self/uid_map", uids.as_bytes()).map_err(at(Step::Identity))?;
        write(c"/proc/self/gid_map", gids.as_bytes()).map_err(at(Step::Identity))?;
    }
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(at(Step::Private))
}

fn in_child(words: &Words) -> Result<Made, (Step, Errno)> {
    let at = |step: Step| move |errno: Errno| (step, errno);
    part(words.maps.as_ref())?;
    let fs = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at(Step::Open))?;
    fsconfig_set_string(fs.as_fd(), c"source", c"coffer").map_err(at(Step::Layers))?;
    let layers = [(c"lowerdir", &words.lower), (c"upperdir", &words.upper), (c"workdir", &words.work)];
    for (key, seen) in layers {
        let folder = seen.open().map_err(at(Step::Layers))?;
        set_layer(fs.as_fd(), key, folder.as_fd()).map_err(at(Step::Layers))?;
    }
    if words.maps.is_some() {
        fsconfig_set_flag(fs.as_fd(), c"userxattr").map_err(at(Step::Layers))?;
    }
    fsconfig_create(fs.as_fd()).map_err(at(Step::Create))?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let tree = fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(at(Step::Mount))?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(tree.as_fd(), c"", CWD, words.target.as_c_str(), flags).map_err(at(Step::Mount))?;
    let namespace =
        |path| open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(at(Step::Namespaces));
    let user = words.maps.as_ref().map(|_| namespace(c"/proc/self/ns/user")).transpose()?;
    Ok(Made { tree, user, mounts: namespace(c"/proc/self/ns/mnt")? })
}

/// By descriptor: no character of a path means anything to the overlay's own syntax.
fn set_layer(fs: BorrowedFd<'_>, key: &CStr, folder: BorrowedFd<'_>) -> Result<(), Errno> {
    const FOLDER: &[u8] = b"/proc/self/fd/";
    let number = DecInt::from_fd(folder);
    let digits = number.as_bytes();
    let mut path = [0; FOLDER.len() + 24];
    let (head, rest) = path.split_at_mut(FOLDER.len());
    head.copy_from_slice(FOLDER);
    rest.get_mut(..digits.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(digits);
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?;
    fsconfig_set_string(fs, key, path)
}

fn write(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text).map(drop)
}

fn tell_done(socket: &OwnedFd, made: &Made) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let (tree, mounts) = (made.tree.as_fd(), made.mounts.as_fd());
    let all = [tree, mounts, made.user.as_ref().map_or(mounts, AsFd::as_fd)];
    let passed = if made.user.is_some() { &all[..] } else { &all[..2] };
    ancillary.push(SendAncillaryMessage::ScmRights(passed));
    sendmsg(socket, &[IoSlice::new(&[DONE, 0, 0, 0, 0])], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

fn tell_failed(socket: &OwnedFd, step: Step, errno: Errno) -> Result<(), Errno> {
    let [a, b, c, d] = errno.raw_os_error().to_ne_bytes();
    let number = Step::ALL.iter().position(|known| *known == step).unwrap_or(0);
    let message = [u8::try_from(number).unwrap_or(0), a, b, c, d];
    rustix::net::send(socket, &message, SendFlags::NOSIGNAL).map(drop)
}

fn hear(socket: &OwnedFd) -> Result<Overlay, OverlayError> {
    let failed = |step, source| OverlayError { step, source };
    let mut message = [0; 5];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut into = [IoSliceMut::new(&mut message)];
        match recvmsg(socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            other => break other.map_err(|errno| failed(Step::Child, errno.into()))?,
        }
    };
    if received.bytes != message.len() {
        return Err(failed(Step::Child, io::ErrorKind::UnexpectedEof.into()));
    }
    let [step, a, b, c, d] = message;
    if step != DONE {
        let step = Step::ALL.get(usize::from(step)).copied().unwrap_or(Step::Child);
        return Err(failed(step, io::Error::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]))));
    }
    let mut passed = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let missing = || failed(Step::Child, io::ErrorKind::UnexpectedEof.into());
    let (tree, mounts) = (passed.next().ok_or_else(missing)?, passed.next().ok_or_else(missing)?);
    Ok(Overlay { tree, namespaces: Namespaces { user: passed.next(), mounts } })
}

#[cfg(test)]
mod tests;
