//! Looks into a live sandbox from outside: by descriptors, below the sandbox's own root, following no link out of
//! it and waiting for nothing. Whatever is read there, an agent may have written.

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zeroize::Zeroizing;

use crate::read::{Unread, read_open};

/// How many processes are looked at between the backend and the sandbox's first one.
const DEPTH: usize = 4;

/// A live sandbox.
#[derive(Debug)]
pub struct Sandbox {
    root: OwnedFd,
    init: u32,
    /// Of the sandbox's first process: as long as it is not readable, the numbers mean the same processes.
    alive: OwnedFd,
}

/// A file inside.
pub struct FileInside {
    /// What it holds; wiped on drop. `None` for what is no readable regular file of at most the limit.
    pub content: Option<Zeroizing<Vec<u8>>>,
    /// Owner outside, as the kernel has it.
    pub uid: u32,
    /// Group outside.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

impl std::fmt::Debug for FileInside {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FileInside")
            .field("mode", &self.mode)
            .field("ino", &self.ino)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// The sandbox whose backend is this process; `None` when it is gone, or is not ours to look at.
    pub fn of_backend(pid: u32) -> Option<Self> {
        let mut init = pid;
        for _ in 0..DEPTH {
            if is_first(init) {
                let alive =
                    pidfd_open(Pid::from_raw(i32::try_from(init).ok()?)?, PidfdFlags::empty()).ok()?;
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let root = open(format!("/proc/{init}/root"), flags, Mode::empty()).ok()?;
                // Asked again, now that its number can mean nobody else.
                return is_first(init).then_some(Self { root, init, alive });
            }
            init = *children(init).first()?;
        }
        None
    }

    /// Whether it still lives.
    pub fn is_alive(&self) -> bool {
        let mut ready = [rustix::event::PollFd::new(&self.alive, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut ready, Some(&now)).is_ok_and(|count| count == 0)
    }

    /// The agent's process, as the host counts.
    pub fn agent(&self) -> Option<u32> {
        children(self.init).first().copied()
    }

    /// A file below the sandbox's root; `None` when nothing is there. No link is followed.
    pub fn file(&self, path: &Utf8Path, limit: usize) -> Option<FileInside> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let place = openat2(
            &self.root,
            path.as_str(),
            OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        );
        let stat = fstat(place.ok()?).ok()?;
        let content = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.read(path, &stat, limit, resolve),
            _ => None,
        };
        let Stat { st_uid: uid, st_gid: gid, st_mode, st_dev: dev, st_ino: ino, .. } = stat;
        Some(FileInside { content, uid, gid, mode: st_mode & 0o7777, dev, ino })
    }

    fn read(
        &self,
        path: &Utf8Path,
        seen: &Stat,
        limit: usize,
        resolve: ResolveFlags,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat2(&self.root, path.as_str(), flags, Mode::empty(), resolve).ok()?;
        let same =
            fstat(file.as_fd()).is_ok_and(|now| (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino));
        match read_open(&file, limit) {
            Ok(found) if same => Some(found.content),
            Ok(_)
            | Err(
                Unread::Missing | Unread::Link | Unread::NotFile(_) | Unread::TooLarge(_) | Unread::Os(_),
            ) => None,
        }
    }
}

/// What is known of a process inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInside {
    /// Its user inside.
    pub uid: Option<u32>,
    /// Its group inside.
    pub gid: Option<u32>,
    /// The names of its variables, as it was started; no values.
    pub variables: Vec<String>,
}

/// Looks at a process of a sandbox.
pub fn process_inside(pid: u32) -> ProcessInside {
    let status = kernel_file(pid, "status").unwrap_or_default();
    let effective = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let inside = |outside: Option<u32>, map: &str| {
        let outside = outside?;
        let map = kernel_file(pid, map)?;
        map.lines().find_map(|line| {
            let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            let [first_inside, first_outside, count] = numbers[..] else { return None };
            let offset = outside.checked_sub(first_outside).filter(|offset| *offset < count)?;
            first_inside.checked_add(offset)
        })
    };
    // The values are among these bytes, so they are wiped.
    let environment = std::fs::read(format!("/proc/{pid}/environ")).map(Zeroizing::new).unwrap_or_default();
    let names =
        environment.split(|byte| *byte == 0).filter_map(|entry| entry.split(|byte| *byte == b'=').next());
    let mut variables: Vec<String> = names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    variables.sort();
    ProcessInside {
        uid: inside(effective("Uid:"), "uid_map"),
        gid: inside(effective("Gid:"), "gid_map"),
        variables,
    }
}

/// Whether a process is the first of a process namespace that is not ours.
fn is_first(pid: u32) -> bool {
    let status = kernel_file(pid, "status").unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    numbers.len() > own_depth() && numbers.last() == Some(&"1")
}

/// In how many process namespaces we are ourselves, as `/proc` here sees it.
fn own_depth() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .map_or(1, |line| line.split_whitespace().count())
}

fn children(pid: u32) -> Vec<u32> {
    let text = kernel_file(pid, &format!("task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn kernel_file(pid: u32, name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok()
}

/// Device and inode number of a file of the host's own, no link followed.
pub fn identity(path: &Utf8PathBuf) -> Option<(u64, u64)> {
    let stat = rustix::fs::statat(CWD, path.as_str(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some((stat.st_dev, stat.st_ino))
}
