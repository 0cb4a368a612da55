//! What stays in memory.

/// Keeps the pages that hold these bytes from being swapped out, for as long as they are mapped; whether that could
/// be had. A page is not let go again: another secret may lie beside this one.
///
/// A process without privileges may lock as much as `RLIMIT_MEMLOCK` says.
pub fn keep_from_swap(bytes: &[u8]) -> bool {
    // SAFETY: the range is that of a live slice; nothing in it is read or changed.
    bytes.is_empty() || unsafe { libc::mlock(bytes.as_ptr().cast(), bytes.len()) } == 0
}

#[cfg(test)]
mod tests {
    use super::keep_from_swap;

    fn locked_kibibytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_pages_of_what_is_kept_are_locked() {
        let before = locked_kibibytes();
        let secret = vec![7_u8; 16 * 4096];
        assert!(keep_from_swap(&[]));
        if keep_from_swap(&secret) {
            assert!(locked_kibibytes() >= before + 64, "{before}");
        } else {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
            assert!(limit.current.is_some_and(|limit| limit < (before + 68) * 1024), "{limit:?}");
        }
    }
}
