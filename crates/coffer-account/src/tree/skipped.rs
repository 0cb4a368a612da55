//! What was skipped, and why.

use rustix::io::Errno;

/// How many are listed one by one.
const LISTED: usize = 200;
/// Longest path that is listed whole, in characters.
const LONGEST: usize = 300;

/// Why an entry was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A symbolic link, or something behind one.
    Link,
    /// A file with more names than one.
    HardLink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// A name that is no UTF-8, or has control characters.
    Name,
    /// Larger than a file may be.
    TooLarge,
    /// More than all files together may have.
    TotalTooLarge,
    /// Deeper than folders may lie.
    TooDeep,
    /// More entries than there may be.
    TooMany,
    /// It became something else, or grew, while it was looked at.
    Changed,
    /// The operating system refuses to show it.
    Refused(Errno),
}

impl From<Errno> for Why {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Changed,
            other => Self::Refused(other),
        }
    }
}

impl From<std::io::Error> for Why {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Link => "a symbolic link",
            Self::HardLink => "a file with several names (hard links)",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Name => "its name is no text, or has control characters",
            Self::TooLarge => "too large",
            Self::TotalTooLarge => "all files together are too large",
            Self::TooDeep => "too deep",
            Self::TooMany => "too many entries",
            Self::Changed => "it changed while it was looked at",
            Self::Refused(errno) => return write!(f, "{}", std::io::Error::from(*errno)),
        })
    }
}

/// An entry that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// From the root; control characters are escaped, and a very long one is cut.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// What was skipped: the first of them one by one, and the number of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkippedList {
    /// The first ones.
    pub listed: Vec<Skipped>,
    /// How many more there were.
    pub more: u64,
}

impl SkippedList {
    /// Whether nothing was skipped.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.more == 0
    }

    pub(super) fn add(&mut self, path: &str, why: Why) {
        if self.listed.len() >= LISTED {
            self.more += 1;
            return;
        }
        let mut shown = String::new();
        for character in path.chars().take(LONGEST) {
            match character.is_control() {
                true => shown.extend(character.escape_default()),
                false => shown.push(character),
            }
        }
        if path.chars().nth(LONGEST).is_some() {
            shown.push('…');
        }
        self.listed.push(Skipped { path: shown, why });
    }
}
