//! What reads as a demand; whether it is met is tested in a sandbox (coffer-launch, `supervise`).

use super::Demand;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn parse(option: &str, word: &str) -> Option<Demand> {
    Demand::parse(option, word.into())
}

#[test]
fn everything_after_the_second_colon_is_the_path() {
    let demand = |path: &str, object, is_read_only| Some(Demand { path: path.into(), object, is_read_only });
    assert_eq!(parse("--verify", "65024:12:/a:b/c d"), demand("/a:b/c d", Some((65024, 12)), false));
    assert_eq!(parse("--verify-ro", "0:0:/"), demand("/", Some((0, 0)), true));
    assert_eq!(parse("--verify-mount", "/1:2:/x"), demand("/1:2:/x", None, false));
    let path = OsString::from_vec(b"/\xff\n".to_vec());
    let mut word = OsString::from("18446744073709551615:1:");
    word.push(&path);
    let expected = Demand { path, object: Some((u64::MAX, 1)), is_read_only: false };
    assert_eq!(Demand::parse("--verify", word), Some(expected));
}

#[test]
fn anything_else_does_not_read() {
    for word in ["", "/x", "1:/x", "1:2", "1:2:", "1:2:x", ":2:/x", "1::/x", "-1:2:/x", "0x1:2:/x", " 1:2:/x"]
    {
        assert_eq!(parse("--verify", word), None, "{word:?}");
    }
    for word in ["", "x", "./x"] {
        assert_eq!(parse("--verify-mount", word), None, "{word:?}");
    }
    assert_eq!(parse("--verify-not", "1:2:/x"), None);
}
