//! The agent's environment, where it comes from the host and not by inheritance: what a container's engine and its image
//! set is not the agent's, and what is secret stands in nobody's command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

/// The most that is read: what the kernel takes for one program, arguments and all, is less.
const MOST: u64 = 8 << 20;

/// All entries, each `NAME=VALUE` with a zero byte behind it. A name alone stands for the value that the image gives it,
/// which is in our own environment; without one it is left out.
pub(crate) fn read(file: OwnedFd) -> io::Result<Vec<(OsString, OsString)>> {
    let mut file = File::from(file);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let Some(entries) = bytes.strip_suffix(&[0]) else {
        return if bytes.is_empty() { Ok(Vec::new()) } else { Err(broken()) };
    };
    entries.split(|byte| *byte == 0).filter_map(|bytes| entry(bytes).transpose()).collect()
}

fn entry(bytes: &[u8]) -> io::Result<Option<(OsString, OsString)>> {
    if bytes.is_empty() {
        return Err(broken());
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'=') else {
        let name = OsString::from_vec(bytes.to_vec());
        return Ok(std::env::var_os(&name).map(|value| (name, value)));
    };
    if end == 0 {
        return Err(broken());
    }
    let (name, value) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default());
    Ok(Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec()))))
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an entry is neither `NAME=VALUE` nor a name, with a zero byte behind it",
    )
}

#[cfg(test)]
mod tests {
    use super::read;
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::fs::File;
    use std::io::Write;

    fn of(bytes: &[u8]) -> Option<Vec<(String, String)>> {
        let mut file = File::from(memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
        file.write_all(bytes).unwrap();
        let entries = read(file.into()).ok()?;
        let text = |word: std::ffi::OsString| word.into_string().unwrap();
        Some(entries.into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn entries_are_parted_by_zero_bytes_and_at_the_first_sign() {
        assert_eq!(of(b""), Some(vec![]));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of(b"A=\0B=x=y\n\0"), Some(vec![pair("A", ""), pair("B", "x=y\n")]));
    }

    #[test]
    fn a_name_alone_is_as_our_own_environment_has_it() {
        let path = std::env::var("PATH").unwrap();
        assert_eq!(of(b"PATH\0NO_SUCH_VARIABLE_HERE\0"), Some(vec![("PATH".to_owned(), path)]));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for bytes in [&b"A=1"[..], b"=1\0", b"A=1\0\0"] {
            assert_eq!(of(bytes), None, "{bytes:?}");
        }
    }
}
