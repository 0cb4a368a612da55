use std::os::fd::AsFd as _;

use super::{compare_with, file_handle, open_by_handle, push_input, read_memory, seize};

#[test]
fn our_own_memory_is_read_as_it_is_and_nobody_elses_that_is_not_there() {
    let text = *b"memory of our own";
    let own = rustix::process::getpid().as_raw_pid();
    assert_eq!(read_memory(own, text.as_ptr().addr(), text.len()).unwrap(), text);
    assert_eq!(read_memory(own, 8, 8).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    compare_with(own).unwrap();
    // Nobody can trace itself.
    assert_eq!(seize(own).unwrap_err().raw_os_error(), Some(libc::EPERM));
}

#[test]
fn what_is_no_handle_opens_nothing() {
    let here = std::fs::File::open("/").unwrap();
    for bytes in [&[][..], &[0; 3], &[0; 200]] {
        assert_eq!(
            open_by_handle(&here, bytes).unwrap_err().kind(),
            std::io::ErrorKind::InvalidInput,
            "{bytes:?}"
        );
    }
    // File systems of the kernel's own have none.
    if let Ok(handle) = file_handle(c"/usr") {
        assert!(handle.len() > 4, "{handle:?}");
    }
}

#[test]
fn a_file_is_no_terminal() {
    let file = std::fs::File::open("/dev/null").unwrap();
    for high_bits in [false, true] {
        assert_eq!(push_input(file.as_fd(), b'x', high_bits).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
