//! What the tests' images are made of; nothing comes from a registry.

use std::io;
use std::path::{Path, PathBuf};

use super::EngineError;
use crate::require;

/// An image that tests can have, on each engine under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// A shell and the usual small commands in one static binary, as in Alpine: no bash, no glibc, one user.
    Tiny,
    /// One static binary, `/cat`, and nothing else: no shell, no users, no folder for temporary files.
    Distroless,
    /// Debian's minimal system with Python and Node.js, from the archive that `COFFER_TEST_ROOTFS` names (capability
    /// `rootfs`).
    Debian,
}

impl Image {
    /// What it is called on every engine.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "localhost/tiny:latest",
            Self::Distroless => "localhost/distroless:latest",
            Self::Debian => "localhost/debian:latest",
        }
    }

    /// What a folder calls it.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Distroless => "distroless",
            Self::Debian => "debian",
        }
    }

    /// Writes its root file system as an archive below the folder, or names the one that is there; `None` when this
    /// machine has nothing to make it of: the test skips.
    pub(super) fn archive(self, folder: &Path) -> Result<Option<PathBuf>, EngineError> {
        if self == Self::Debian {
            return Ok(require::rootfs());
        }
        let Some(busybox) = require::program("busybox") else { return Ok(None) };
        let path = folder.join(format!("{}.tar", self.id()));
        let written = match self {
            Self::Tiny => tiny(&busybox, &path),
            Self::Distroless | Self::Debian => distroless(&busybox, &path),
        };
        written.map_err(|error| EngineError::Folder(path.clone(), error))?;
        Ok(Some(path))
    }
}

/// The commands that it answers to are links to it.
const COMMANDS: [&str; 41] = [
    "sh", "cat", "chmod", "cp", "cut", "date", "dd", "df", "env", "false", "find", "grep", "head",
    "hostname", "httpd", "id", "ip", "kill", "ls", "mkdir", "mount", "mv", "nc", "nproc", "od", "ps", "pwd",
    "readlink", "rm", "sed", "sleep", "sort", "stat", "stty", "tail", "touch", "tr", "true", "uname", "wc",
    "wget",
];

fn tiny(busybox: &Path, path: &Path) -> io::Result<()> {
    let mut archive = Archive::new(path)?;
    for folder in ["bin", "etc", "home", "root", "usr", "usr/bin", "var"] {
        archive.folder(folder, 0o755)?;
    }
    archive.folder("tmp", 0o1777)?;
    archive.program(busybox, "bin/busybox")?;
    for command in COMMANDS {
        archive.link(&format!("bin/{command}"), "busybox")?;
    }
    // Scripts name it there.
    archive.link("usr/bin/env", "../../bin/busybox")?;
    archive.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
    archive.text("etc/group", "root:x:0:\n")?;
    archive.end()
}

/// The binary goes by its name: as `/cat` it is no shell.
fn distroless(busybox: &Path, path: &Path) -> io::Result<()> {
    let mut archive = Archive::new(path)?;
    archive.program(busybox, "cat")?;
    archive.end()
}

struct Archive(tar::Builder<std::fs::File>);

impl Archive {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self(tar::Builder::new(std::fs::File::create(path)?)))
    }

    fn folder(&mut self, name: &str, mode: u32) -> io::Result<()> {
        let mut header = header(tar::EntryType::Directory, 0, mode);
        self.0.append_data(&mut header, name, io::empty())
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Regular, text.len() as u64, 0o644);
        self.0.append_data(&mut header, name, text.as_bytes())
    }

    fn program(&mut self, source: &Path, name: &str) -> io::Result<()> {
        let file = std::fs::File::open(source)?;
        let mut header = header(tar::EntryType::Regular, file.metadata()?.len(), 0o755);
        self.0.append_data(&mut header, name, file)
    }

    fn link(&mut self, name: &str, target: &str) -> io::Result<()> {
        let mut header = header(tar::EntryType::Symlink, 0, 0o777);
        self.0.append_link(&mut header, name, target)
    }

    fn end(self) -> io::Result<()> {
        self.0.into_inner().map(drop)
    }
}

/// Root's, and from the same day in each run.
fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header
}
