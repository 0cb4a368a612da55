use super::{read_config, read_project_config};
use crate::error::HostError;
use crate::read::MAX_BYTES;
use crate::scratch::{Scratch, mode, without_privileges};

#[test]
fn the_text_or_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("config.toml", "text = 1\n");
    assert_eq!(read_config(&file).unwrap().as_deref(), Some("text = 1\n"));
    assert_eq!(read_project_config(&file).unwrap().as_deref(), Some("text = 1\n"));
    assert_eq!(read_config(&scratch.path("none/none")).unwrap(), None);
    assert_eq!(read_project_config(&scratch.path("none/none")).unwrap(), None);
}

#[test]
fn only_the_user_may_link() {
    let scratch = Scratch::new();
    let link = scratch.link("link", scratch.file("real", "x = 1"));
    assert_eq!(read_config(&link).unwrap().as_deref(), Some("x = 1"));
    let error = read_project_config(&link).unwrap_err();
    assert_eq!(error.to_string(), format!("the project's config file `{link}` is a symbolic link"));
}

#[test]
fn each_kind_of_bad_file_has_its_error() {
    let scratch = Scratch::new();
    let text = |path: &camino::Utf8Path| {
        let errors = [read_config(path).unwrap_err(), read_project_config(path).unwrap_err()];
        assert_eq!(errors[0].to_string(), errors[1].to_string());
        assert!(errors[0].hint().is_some_and(|hint| hint.contains(path.as_str())));
        errors[0].to_string().replace(path.as_str(), "FILE")
    };
    let large = scratch.file("large", vec![b'#'; MAX_BYTES + 1]);
    assert_eq!(text(&large), "the config file `FILE` is larger than 1048576 bytes");
    assert_eq!(text(&scratch.folder("folder")), "the config file `FILE` is a folder");
    assert_eq!(text(&scratch.fifo("pipe")), "the config file `FILE` is a named pipe");
    let binary = scratch.file("binary", b"abc\xff\xfe");
    assert_eq!(text(&binary), "the config file `FILE` is not UTF-8 text (byte 3)");
    let closed = scratch.file("closed", "");
    mode(&closed, 0);
    without_privileges(|| assert_eq!(text(&closed), "cannot read the config file `FILE`"));
    assert!(read_config(&scratch.file("full", vec![b'#'; MAX_BYTES])).unwrap().is_some());
}

#[test]
fn a_path_without_a_name_is_no_file() {
    let error = read_project_config("/".into()).unwrap_err();
    assert!(matches!(error, HostError::ConfigNotFile { .. }));
}
