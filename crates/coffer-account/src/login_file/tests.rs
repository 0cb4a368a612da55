use proptest::prelude::*;

use super::LoginFile;

fn file(text: &str) -> LoginFile {
    LoginFile::new(text.as_bytes().to_vec().into())
}

#[test]
fn only_the_end_is_changed_and_every_other_byte_stays() {
    let text = r#"{ "mcpOAuth" : {"a":1.50e3}, "claudeAiOauth":{"expiresAt" :  1795467797680 ,"accessToken":"sk-ant-oat01-FAKE","refreshToken":"sk-ant-ort01-FAKE","x":"\u00e9"},"z":null }
"#;
    let read = file(text);
    assert_eq!(read.end_text().unwrap(), "1795467797680");
    let changed = read.with_end("7").unwrap();
    assert_eq!(changed.bytes(), text.replace("1795467797680", "7").as_bytes());
    assert_eq!(changed.with_end("1795467797680").unwrap().bytes(), text.as_bytes());
    assert!(changed.same_access(&read));
}

#[test]
fn where_there_is_no_end_none_is_made() {
    for text in [r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE"}}"#, "{}", "", "[]", "nonsense"] {
        assert!(file(text).with_end("7").is_none(), "{text}");
    }
}

#[test]
fn it_prints_no_token() {
    let text = r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE","refreshToken":"sk-ant-ort01-FAKE"}}"#;
    assert!(!format!("{:?}", file(text)).contains("FAKE"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let read = LoginFile::new(bytes.clone().into());
        prop_assert_eq!(read.bytes(), &bytes[..]);
        if let Some(changed) = read.with_end("7") {
            prop_assert_eq!(changed.end_text().unwrap(), "7");
        }
    }
}
