//! Other processes, and files without their names.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

use super::answered;

/// Bytes of a file handle that the kernel may fill.
const HANDLE: usize = 128;

/// Becomes the tracer of a process without stopping it; when we end it goes on as if nothing had been.
///
/// # Errors
/// As `ptrace(2)`.
pub fn seize(pid: i32) -> io::Result<()> {
    let nothing: *mut libc::c_void = std::ptr::null_mut();
    // SAFETY: no memory of ours is passed; the other process is not changed.
    answered(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) }).map(drop)
}

/// Memory of another process.
///
/// # Errors
/// As `process_vm_readv(2)`.
pub fn read_memory(pid: i32, address: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; length];
    let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let theirs = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: length };
    // SAFETY: the kernel writes `length` bytes into our buffer, which has as many; the other address is not ours.
    let answer = unsafe { libc::process_vm_readv(pid, &raw const ours, 1, &raw const theirs, 1, 0) };
    bytes.truncate(usize::try_from(answered(answer as libc::c_long)?).unwrap_or_default());
    Ok(bytes)
}

/// Asks the kernel to compare the memory of another process with ours.
///
/// # Errors
/// As `kcmp(2)`.
pub fn compare_with(pid: i32) -> io::Result<()> {
    /// `KCMP_VM`.
    const MEMORY: libc::c_int = 1;
    let own = rustix::process::getpid().as_raw_pid();
    // SAFETY: numbers alone.
    answered(unsafe { libc::syscall(libc::SYS_kcmp, own, pid, MEMORY, 0, 0) }).map(drop)
}

/// The handle of a file: by it the file can be opened without its path.
///
/// # Errors
/// As `name_to_handle_at(2)`.
pub fn file_handle(path: &CStr) -> io::Result<Vec<u8>> {
    let mut handle = Handle { bytes: HANDLE as u32, kind: 0, data: [0; HANDLE] };
    let mut mount: libc::c_int = 0;
    // SAFETY: the kernel reads a string and fills a structure that says how much room is behind its head.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    };
    answered(answer)?;
    let mut out = handle.kind.to_ne_bytes().to_vec();
    out.extend(handle.data.iter().take(handle.bytes as usize));
    Ok(out)
}

/// Opens a file for reading by its handle; `at` is any file of the same file system.
///
/// # Errors
/// As `open_by_handle_at(2)`; `EINVAL` for bytes that are no handle.
pub fn open_by_handle(at: impl AsFd, handle: &[u8]) -> io::Result<OwnedFd> {
    let Some((kind, data)) = handle.split_first_chunk::<4>() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut filled = [0; HANDLE];
    filled.get_mut(..data.len()).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(data);
    let handle = Handle { bytes: data.len() as u32, kind: i32::from_ne_bytes(*kind), data: filled };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
    let at = at.as_fd().as_raw_fd();
    // SAFETY: the kernel reads a structure whose head says how many bytes follow, and there are as many.
    let answer = unsafe { libc::syscall(libc::SYS_open_by_handle_at, at, &raw const handle, flags) };
    let number = i32::try_from(answered(answer)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `struct file_handle`, with room.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    data: [u8; HANDLE],
}
