use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use camino::Utf8PathBuf;
use zeroize::Zeroizing;

use super::{read, word, write};
use crate::tokens::Tokens;

#[test]
fn what_is_written_is_read_by_us_and_by_a_shell_and_is_the_users_alone() {
    let keep = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
    assert!(read(&folder).unwrap().is_none() && word(&folder).is_none(), "nobody has written yet");
    let made = Tokens::word().unwrap();
    let text = String::from_utf8(made.expose().to_vec()).unwrap();
    let variables = vec![
        ("A_URL".to_owned(), Zeroizing::new("http://127.0.0.1:1/$HOME `x`".to_owned())),
        ("A_TOKEN".to_owned(), Zeroizing::new(text.clone())),
    ];
    write(&folder, &variables).unwrap();
    assert_eq!(read(&folder).unwrap().unwrap(), variables);
    assert_eq!(word(&folder).unwrap().expose(), made.expose());
    let file = folder.join("environment");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let script = format!(". {file}; printf '%s %s' \"$A_URL\" \"$A_TOKEN\"");
    let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), format!("http://127.0.0.1:1/$HOME `x` {text}"));
    // Written again it is the same file: nobody who watches it is woken.
    let inode = || std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
    let before = inode();
    write(&folder, &variables).unwrap();
    assert_eq!(inode(), before);
}
