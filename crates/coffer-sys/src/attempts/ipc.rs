//! What processes share without files: System V's memory, queues and semaphores, and the queues of POSIX.

use std::ffi::CStr;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use super::answered;

/// How large a segment is, in bytes.
const SEGMENT: usize = 4096;

/// A segment of this key with this at its beginning.
///
/// # Errors
/// As `shmget(2)` and `shmat(2)`.
pub fn new_shared_memory(key: i32, text: &[u8]) -> io::Result<()> {
    // SAFETY: numbers alone.
    let id = unsafe { libc::shmget(key, SEGMENT, libc::IPC_CREAT | 0o600) };
    let memory = attach(id, 0)?;
    let bytes = text.len().min(SEGMENT);
    // SAFETY: the segment has `SEGMENT` bytes, and nothing of ours lies in it.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), memory, bytes) };
    detach(memory);
    Ok(())
}

/// The beginning of the segment of this key.
///
/// # Errors
/// As `shmget(2)` and `shmat(2)`: `ENOENT` when there is none.
pub fn shared_memory(key: i32) -> io::Result<Vec<u8>> {
    // SAFETY: numbers alone.
    let id = unsafe { libc::shmget(key, SEGMENT, 0) };
    let memory = attach(id, libc::SHM_RDONLY)?;
    let mut text = vec![0_u8; 256];
    // SAFETY: at least `SEGMENT` bytes are there (asked for above), more than are copied.
    unsafe { std::ptr::copy_nonoverlapping(memory, text.as_mut_ptr(), text.len()) };
    detach(memory);
    Ok(text)
}

fn attach(id: libc::c_int, flags: libc::c_int) -> io::Result<*mut u8> {
    answered(id.into())?;
    // SAFETY: the kernel picks an address that is free.
    let memory = unsafe { libc::shmat(id, std::ptr::null(), flags) };
    if memory.addr() == usize::MAX { Err(io::Error::last_os_error()) } else { Ok(memory.cast()) }
}

fn detach(memory: *mut u8) {
    // SAFETY: it was attached by us, and nobody holds a pointer into it any more.
    unsafe { libc::shmdt(memory.cast()) };
}

/// A message queue of this key.
///
/// # Errors
/// As `msgget(2)`.
pub fn new_message_queue(key: i32) -> io::Result<()> {
    // SAFETY: numbers alone.
    answered(unsafe { libc::msgget(key, libc::IPC_CREAT | 0o600) }.into()).map(drop)
}

/// Whether there is one.
///
/// # Errors
/// As `msgget(2)`: `ENOENT` when there is none.
pub fn has_message_queue(key: i32) -> io::Result<()> {
    // SAFETY: numbers alone.
    answered(unsafe { libc::msgget(key, 0) }.into()).map(drop)
}

/// A semaphore of this key.
///
/// # Errors
/// As `semget(2)`.
pub fn new_semaphores(key: i32) -> io::Result<()> {
    // SAFETY: numbers alone.
    answered(unsafe { libc::semget(key, 1, libc::IPC_CREAT | 0o600) }.into()).map(drop)
}

/// Whether there is one.
///
/// # Errors
/// As `semget(2)`: `ENOENT` when there is none.
pub fn has_semaphores(key: i32) -> io::Result<()> {
    // SAFETY: numbers alone.
    answered(unsafe { libc::semget(key, 0, 0) }.into()).map(drop)
}

/// The queue of this name.
///
/// # Errors
/// As `mq_open(3)`: `ENOENT` when there is none.
pub fn open_posix_queue(name: &CStr) -> io::Result<OwnedFd> {
    queue(name, libc::O_RDONLY)
}

/// A new queue of this name; it is there until it is unlinked or its namespace goes.
///
/// # Errors
/// As `mq_open(3)`.
pub fn new_posix_queue(name: &CStr) -> io::Result<OwnedFd> {
    queue(name, libc::O_RDWR | libc::O_CREAT)
}

fn queue(name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC;
    let limits: *const libc::c_void = std::ptr::null();
    // SAFETY: the kernel reads a string; null stands for its own limits.
    let answer = unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags, 0o600, limits) };
    let number = i32::try_from(answered(answer)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
