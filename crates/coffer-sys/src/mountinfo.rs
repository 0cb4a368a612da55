//! Lines of `mountinfo` (`proc_pid_mountinfo(5)`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// A mount of the reading process's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountLine {
    /// What of its file system is shown; it ends with `//deleted` when its source has no name any more.
    pub root: OsString,
    /// Where it is.
    pub point: OsString,
    /// Whether nothing can be written through it.
    pub read_only: bool,
    /// The file system's kind: `ext4`, `cgroup2`.
    pub kind: String,
    /// Options of the file system itself, parted by commas.
    pub options: String,
}

impl MountLine {
    /// A line without its end; `None` if it is none.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ').skip(3);
        let (root, point) = (unescaped(words.next()?), unescaped(words.next()?));
        let read_only = words.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
        // A number of optional words, which a dash ends.
        let mut right = words.skip_while(|word| *word != b"-").skip(1);
        let kind = String::from_utf8(right.next()?.to_vec()).ok()?;
        let options = String::from_utf8(right.nth(1)?.to_vec()).ok()?;
        Some(Self { root, point, read_only, kind, options })
    }
}

/// Spaces and the like stand as three octal digits.
fn unescaped(word: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, more)) = rest.split_first() {
        let digits =
            more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::MountLine;

    #[test]
    fn a_line_is_read_with_any_number_of_optional_words() {
        for optional in ["", "shared:7 ", "shared:7 master:1 "] {
            let line = format!(
                r"36 35 98:0 /mnt1 /a\040b\134c ro,noatime {optional}- ext3 /dev/root rw,errors=continue"
            );
            let expected = MountLine {
                root: "/mnt1".into(),
                point: r"/a b\c".into(),
                read_only: true,
                kind: "ext3".to_owned(),
                options: "rw,errors=continue".to_owned(),
            };
            assert_eq!(MountLine::parse(line.as_bytes()), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_line_is_none() {
        for line in
            ["", "36 35 98:0 /", "36 35 98:0 / /x rw shared:1 ext3 none rw", "36 35 98:0 / /x rw - ext3 none"]
        {
            assert_eq!(MountLine::parse(line.as_bytes()), None, "{line}");
        }
        // A backslash that begins no number stays as it is.
        let line = MountLine::parse(br"1 0 0:1 / /x\9 rw - tmpfs tmpfs rw").unwrap();
        assert_eq!((line.point, line.read_only), (r"/x\9".into(), false));
    }
}
