//! Our own 0, 1 and 2, and the way each of them gets into the sandbox.
//!
//! A descriptor is a door: `/proc/self/fd` opens what stands behind it anew, a folder with everything beneath, a file
//! with more rights than the descriptor had. So only what leads nowhere else is handed through.

use super::SuperviseError;
use coffer_sys::control::StdioSet;
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat, major, minor};
use rustix::io::Errno;
use rustix::termios::tcgetattr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Major number of the kernel's memory devices (`Documentation/admin-guide/devices.txt`).
const MEMORY_DEVICES: u32 = 1;
/// Minor number of `/dev/null`.
const NULL: u32 = 3;
/// `/dev/zero`, `/dev/full`, `/dev/random`, `/dev/urandom`.
const RELAYED: [u32; 4] = [5, 7, 8, 9];

/// What our standard descriptors are.
#[derive(Debug)]
pub struct Stdio {
    input: std::io::Stdin,
    output: std::io::Stdout,
    errors: std::io::Stderr,
    ways: [Way; 3],
}

/// How a standard descriptor gets into the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Replaced by the private terminal.
    Terminal,
    /// As it is. A pipe or a socket opened anew is the same one, or cannot be opened at all; a named pipe is the same
    /// one too, and says no path.
    Passed,
    /// Bytes are carried by us, to or from a pipe that the agent gets.
    Relayed,
    /// Replaced by the sandbox's own `/dev/null`.
    Null,
}

/// Why a standard descriptor cannot be the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The agent could open everything beneath.
    Folder,
    /// The agent could open it for writing.
    BlockDevice,
    /// A character device other than a terminal, `/dev/null`, `/dev/zero`, `/dev/full` and `/dev/[u]random`.
    Device,
    /// Opened with `O_PATH`: it names a file and does not read or write.
    PathOnly,
    /// 0 is not open for reading, 1 or 2 not for writing.
    WrongDirection,
    /// An event counter, a timer or the like.
    Other,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder, and would open all of it to the sandbox",
            Self::BlockDevice => "a block device, and would open all of it to the sandbox",
            Self::Device => "a device that the sandbox must not have",
            Self::PathOnly => "open as a path only",
            Self::WrongDirection => "not open in the direction in which it is used",
            Self::Other => "no file, pipe, socket or terminal",
        })
    }
}

impl Stdio {
    /// Looks at this process's own. To be called before anything is started.
    ///
    /// # Errors
    /// [`SuperviseError::Unfit`] if one of them must not get into a sandbox, [`SuperviseError::Look`] if that cannot
    /// be learned.
    pub fn of_process() -> Result<Self, SuperviseError> {
        let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let way = |number, descriptor| match way_of(number, descriptor) {
            Ok(Ok(way)) => Ok(way),
            Ok(Err(why)) => Err(SuperviseError::Unfit { number, why }),
            Err(source) => Err(SuperviseError::Look { number, source }),
        };
        let ways = [way(0, input.as_fd())?, way(1, output.as_fd())?, way(2, errors.as_fd())?];
        Ok(Self { input, output, errors, ways })
    }

    /// Those that are terminals.
    pub fn terminals(&self) -> StdioSet {
        self.those(Way::Terminal)
    }

    /// Those that go this way.
    pub(crate) fn those(&self, wanted: Way) -> StdioSet {
        StdioSet::of((0..).zip(self.ways).filter(|(_, way)| *way == wanted).map(|(number, _)| number))
    }

    /// One of the three.
    pub(crate) fn descriptor(&self, number: u8) -> BorrowedFd<'_> {
        match number {
            0 => self.input.as_fd(),
            1 => self.output.as_fd(),
            _ => self.errors.as_fd(),
        }
    }
}

fn way_of(number: u8, descriptor: BorrowedFd<'_>) -> io::Result<Result<Way, Unfit>> {
    let flags = fcntl_getfl(descriptor)?;
    if flags.contains(OFlags::PATH) {
        return Ok(Err(Unfit::PathOnly));
    }
    let stat = fstat(descriptor)?;
    let way = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Way::Relayed),
        FileType::Fifo | FileType::Socket => Ok(Way::Passed),
        FileType::CharacterDevice => character_device(descriptor, &stat),
        FileType::Directory => Err(Unfit::Folder),
        FileType::BlockDevice => Err(Unfit::BlockDevice),
        FileType::Symlink | FileType::Unknown => Err(Unfit::Other),
    };
    let unused = if number == 0 { OFlags::WRONLY } else { OFlags::RDONLY };
    let is_reversed = way == Ok(Way::Relayed) && flags & OFlags::ACCMODE == unused;
    Ok(if is_reversed { Err(Unfit::WrongDirection) } else { way })
}

fn character_device(descriptor: BorrowedFd<'_>, stat: &Stat) -> Result<Way, Unfit> {
    match tcgetattr(descriptor) {
        Ok(_) => return Ok(Way::Terminal),
        // A terminal that has been hung up: nobody is there any more, to type or to read.
        Err(Errno::IO) => return Ok(Way::Null),
        Err(_) => {}
    }
    match (major(stat.st_rdev), minor(stat.st_rdev)) {
        // Not the host's own: as root inside or with the same uid, its modes could be changed by descriptor.
        (MEMORY_DEVICES, NULL) => Ok(Way::Null),
        (MEMORY_DEVICES, device) if RELAYED.contains(&device) => Ok(Way::Relayed),
        _ => Err(Unfit::Device),
    }
}
