//! Learns of a login's change as soon as it happens, whoever made it.
//!
//! A client replaces the file (2.1.330) or writes into it (2.1.112), a keeper replaces it, a person may have put
//! a link there. So the folders are watched, not the file: the one that holds its name, and the one that a link
//! leads to. One change may be several events, and a file may be half-written when the first one comes: what is
//! read then has to prove itself.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

#[cfg(test)]
mod tests;

/// Everything after which a file may hold something else, and the end of the folder itself.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
/// Room for a few dozen events at once.
const BUFFER_BYTES: usize = 8192;

/// Watches a login file; its descriptor can be read when the file may have changed.
#[derive(Debug)]
pub struct LoginWatch {
    events: OwnedFd,
    file: Utf8PathBuf,
    /// Names under which the file is changed.
    names: Vec<String>,
}

impl LoginWatch {
    /// Watches from now on. Whoever reads the file afterwards misses nothing.
    ///
    /// # Errors
    /// When the kernel has no watches left, or the folder cannot be watched.
    pub fn new(file: &Utf8Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut watch = Self { events, file: file.to_owned(), names: Vec::new() };
        watch.renew()?;
        Ok(watch)
    }

    /// Whether the file may have changed since the last call. Takes everything that has come in.
    ///
    /// # Errors
    /// When the folder cannot be watched any more: it may be gone. Calling it again is the way to find out.
    pub fn changed(&mut self) -> io::Result<bool> {
        let mut changed = false;
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.events, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok());
                    // Without a name: the folder itself, or more than the kernel kept for us.
                    let ours = name.is_none_or(|name| self.names.iter().any(|known| known == name));
                    changed |= ours || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        // The folder, or where a link leads, may be another one by now.
        self.renew()?;
        Ok(changed)
    }

    /// Watches the folders that count now. Watching one twice is watching it once.
    fn renew(&mut self) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Utf8Path::new("/"));
        let mut names: Vec<String> = self.file.file_name().map(str::to_owned).into_iter().collect();
        inotify::add_watch(&self.events, folder.as_std_path(), CHANGES)?;
        if let Ok(end) = self.file.canonicalize_utf8()
            && end != self.file
            && let (Some(folder), Some(name)) = (end.parent(), end.file_name())
        {
            names.push(name.to_owned());
            inotify::add_watch(&self.events, folder.as_std_path(), CHANGES)?;
        }
        self.names = names;
        Ok(())
    }
}

impl AsFd for LoginWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}
