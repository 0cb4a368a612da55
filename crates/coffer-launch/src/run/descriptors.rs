//! Descriptors that the backend inherits: data in memory, paths opened and checked.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, ResolveFlags, fstat, memfd_create, openat2};

use super::RunError;
use crate::launch::HostPath;

/// Descriptors kept for the backend.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<OwnedFd>);

impl Inherited {
    /// Keeps a descriptor for the backend.
    pub(super) fn keep(&mut self, descriptor: OwnedFd) {
        self.0.push(descriptor);
    }

    /// The number of a descriptor from which `content` can be read.
    pub(super) fn data(&mut self, content: &[u8]) -> Result<i32, RunError> {
        let file = in_memory(content)?;
        let number = file.as_raw_fd();
        self.0.push(file);
        Ok(number)
    }

    /// The number of a descriptor that is open on the path, if it is still what the plan saw.
    pub(super) fn open(&mut self, seen: &HostPath) -> Result<i32, RunError> {
        let descriptor = same(seen)?;
        let number = descriptor.as_raw_fd();
        self.0.push(descriptor);
        Ok(number)
    }

    /// Lets the backend inherit them.
    pub(super) fn pass_to(self, backend: &mut Command) {
        coffer_sys::descriptors::inherit(backend, self.0);
    }
}

/// A descriptor from which `content` can be read; it is in memory alone.
pub(super) fn in_memory(content: &[u8]) -> Result<OwnedFd, RunError> {
    let memory = memfd_create("coffer", MemfdFlags::CLOEXEC).map_err(|error| RunError::Data(error.into()))?;
    let mut file = File::from(memory);
    file.write_all(content).and_then(|()| file.rewind()).map_err(RunError::Data)?;
    Ok(file.into())
}

/// Opens a path without following any link, if it is still what the plan saw.
pub(super) fn same(seen: &HostPath) -> Result<OwnedFd, RunError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let changed = |source: Option<rustix::io::Errno>| RunError::Changed {
        path: seen.path.clone(),
        source: source.map(std::io::Error::from),
    };
    let opened = openat2(CWD, seen.path.as_std_path(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let descriptor = opened.map_err(|error| changed(Some(error)))?;
    let found = fstat(&descriptor).map_err(|error| changed(Some(error)))?;
    if (found.st_dev, found.st_ino) == (seen.dev, seen.ino) { Ok(descriptor) } else { Err(changed(None)) }
}
