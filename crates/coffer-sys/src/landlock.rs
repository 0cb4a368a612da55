//! What the kernel says about Landlock.

/// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
const CREATE_RULESET_VERSION: u32 = 1;

/// The kernel's Landlock ABI version; `None` if Landlock is absent or switched off at boot.
pub fn landlock_abi() -> Option<u32> {
    let no_attributes: *const libc::c_void = std::ptr::null();
    // SAFETY: with the version flag the kernel requires a null pointer and a zero size, reads no memory of ours
    // and creates no descriptor.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, no_attributes, 0_usize, CREATE_RULESET_VERSION)
    };
    u32::try_from(answer).ok().filter(|version| *version > 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_agrees_with_the_kernels_list_of_security_modules() {
        let Ok(active) = std::fs::read_to_string("/sys/kernel/security/lsm") else {
            return;
        };
        assert_eq!(super::landlock_abi().is_some(), active.split(',').any(|name| name.trim() == "landlock"));
    }
}
