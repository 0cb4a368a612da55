//! The system calls by which logins and journals are written, in one place: so that a test can let the
//! n-th of them fail, or die right before it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use camino::Utf8Path;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, fsync, openat, openat2, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;

/// Which call is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A new file.
    Create,
    /// Its content.
    Write,
    /// Content or folder to the disc.
    Sync,
    /// The new name.
    Rename,
    /// A name that goes.
    Remove,
    /// A new folder.
    MakeFolder,
}

/// Asked before each call; an error is the call's.
pub type Hook<'a> = &'a (dyn Fn(Call) -> io::Result<()> + Sync);

/// How files are written.
#[derive(Clone, Copy)]
pub struct Disk<'a> {
    hook: Option<Hook<'a>>,
}

impl std::fmt::Debug for Disk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl<'a> Disk<'a> {
    /// As the operating system has it.
    pub fn real() -> Self {
        Self { hook: None }
    }

    /// The same, with somebody asked before each call.
    pub fn with_hook(hook: Hook<'a>) -> Self {
        Self { hook: Some(hook) }
    }

    fn about_to(self, call: Call) -> io::Result<()> {
        self.hook.map_or(Ok(()), |hook| hook(call))
    }

    /// For a copy of a tree, which names its calls by what they do.
    pub(crate) fn ask(self, action: &str) -> io::Result<()> {
        self.about_to(match action {
            "create" => Call::Create,
            "write" => Call::Write,
            "sync" => Call::Sync,
            "remove" => Call::Remove,
            _ => Call::MakeFolder,
        })
    }

    /// A new file (0600) in the folder, which must not be there yet.
    pub(crate) fn create(self, folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
        self.about_to(Call::Create)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat2(folder, name, flags, Mode::RUSR | Mode::WUSR, INSIDE)?;
        // The umask may have taken bits away.
        rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
        Ok(file)
    }

    pub(crate) fn write(self, file: OwnedFd, content: &[u8]) -> io::Result<OwnedFd> {
        self.about_to(Call::Write)?;
        let mut file = File::from(file);
        file.write_all(content)?;
        Ok(file.into())
    }

    pub(crate) fn sync(self, what: impl AsFd) -> io::Result<()> {
        self.about_to(Call::Sync)?;
        Ok(fsync(what)?)
    }

    pub(crate) fn rename(self, folder: BorrowedFd<'_>, from: &str, to: &str) -> io::Result<()> {
        self.about_to(Call::Rename)?;
        Ok(renameat(folder, from, folder, to)?)
    }

    /// As `renameat2`.
    pub(crate) fn rename_with(
        self,
        folder: BorrowedFd<'_>,
        from: &str,
        to: &str,
        flags: RenameFlags,
    ) -> io::Result<()> {
        self.about_to(Call::Rename)?;
        Ok(renameat_with(folder, from, folder, to, flags)?)
    }

    /// A name that is not there is gone already.
    pub(crate) fn remove(self, folder: BorrowedFd<'_>, name: &str, flags: AtFlags) -> io::Result<()> {
        self.about_to(Call::Remove)?;
        match unlinkat(folder, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn make_folder(self, folder: BorrowedFd<'_>, name: &str) -> io::Result<()> {
        self.about_to(Call::MakeFolder)?;
        Ok(rustix::fs::mkdirat(folder, name, Mode::RWXU)?)
    }
}

/// Opens a folder itself; its last part must not be a link.
///
/// # Errors
/// As `open(2)`.
pub fn open_folder(path: &Utf8Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path.as_std_path(), flags, Mode::empty())?)
}
