//! Calls by the tables of other machines, whose numbers mean something else than those of this one: a filter that looks
//! at numbers alone lets them through.

use std::io;

/// `getpid` by the x32 table.
#[cfg(target_arch = "x86_64")]
pub(super) fn x32() -> io::Result<()> {
    super::plain(X32_BIT | libc::SYS_getpid, [0; 5]).map(drop)
}

/// A user namespace by the x32 table.
#[cfg(target_arch = "x86_64")]
pub(super) fn x32_users() -> io::Result<()> {
    super::plain(X32_BIT | libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0]).map(drop)
}

/// `getpid` by the i386 table.
#[cfg(target_arch = "x86_64")]
pub(super) fn i386() -> io::Result<()> {
    const GETPID: u32 = 20;
    by_interrupt(GETPID, 0)
}

/// A user namespace by the i386 table.
#[cfg(target_arch = "x86_64")]
pub(super) fn i386_users() -> io::Result<()> {
    const UNSHARE: u32 = 310;
    by_interrupt(UNSHARE, libc::CLONE_NEWUSER as u32)
}

/// What distinguishes numbers of the x32 table.
#[cfg(target_arch = "x86_64")]
const X32_BIT: libc::c_long = 0x4000_0000;

/// `int 0x80`. Where the kernel runs no programs of i386 it ends this process by a signal.
#[cfg(target_arch = "x86_64")]
fn by_interrupt(number: u32, word: u32) -> io::Result<()> {
    let answer: i32;
    // SAFETY: the callers above ask for calls that take one number and no memory of ours. `rbx`, which the compiler keeps
    // for itself, is as it was afterwards, and all registers that the kernel may clear are named.
    unsafe {
        core::arch::asm!(
            "xchg {word:r}, rbx",
            "int 0x80",
            "xchg {word:r}, rbx",
            word = inout(reg) u64::from(word) => _,
            inlateout("eax") number => answer,
            in("ecx") 0,
            in("edx") 0,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    if answer < 0 { Err(io::Error::from_raw_os_error(-answer)) } else { Ok(()) }
}

/// No other machine has these tables.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn no_table() -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use {no_table as i386, no_table as i386_users, no_table as x32, no_table as x32_users};
