use super::*;
use crate::run::folder::RunFolders;

fn about(account: &str) -> About {
    About {
        agent: "claude".to_owned(),
        project: "/p".into(),
        account: account.to_owned(),
        auth: "lease".to_owned(),
        backend: "bwrap".to_owned(),
        login_wins: true,
    }
}

fn runtime() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

#[test]
fn a_run_is_listed_as_long_as_it_lives_and_no_longer() {
    let (_folder, runtime) = runtime();
    assert_eq!(live_runs(&runtime), []);
    let first = RunFolders::new(&runtime).unwrap();
    assert_eq!(live_runs(&runtime)[0].about, None, "it just begins");
    first.note(&about("dev"), None).unwrap();
    let second = RunFolders::new(&runtime).unwrap();
    second.note(&about("host"), Some(7)).unwrap();
    let live = live_runs(&runtime);
    assert_eq!(live.len(), 2);
    assert!(live.iter().any(|run| run.about == Some(about("dev")) && run.pid.is_none()));
    assert!(live.iter().any(|run| run.about == Some(about("host")) && run.pid == Some(7)));
    assert!(live.iter().all(|run| run.started_at_ms > 1_700_000_000_000 && run.folder.is_dir()));
    second.remove().unwrap();
    assert_eq!(live_runs(&runtime).len(), 1);
    // Killed: the folder stays, the lock is nobody's.
    drop(first);
    assert_eq!(live_runs(&runtime), []);
    assert_eq!(std::fs::read_dir(runtime.join("runs")).unwrap().count(), 2);
    assert_eq!(dead_runs(&runtime).len(), 1);
    let third = RunFolders::new(&runtime).unwrap();
    assert_eq!((live_runs(&runtime).len(), dead_runs(&runtime).len()), (1, 0), "a start sweeps");
    drop(third);
    assert_eq!(dead_runs(&runtime).len(), 1);
    sweep_runs(&runtime);
    assert_eq!(std::fs::read_dir(runtime.join("runs")).unwrap().count(), 0);
}

#[test]
fn odd_notes_and_odd_files_hold_nobody_up() {
    let (_folder, runtime) = runtime();
    let run = RunFolders::new(&runtime).unwrap();
    run.note(&about("dev"), Some(1)).unwrap();
    let note = live_runs(&runtime)[0].folder.join(NOTE);
    for text in [
        "",
        "{}",
        "nonsense",
        r#"{"schema":1,"run":"another","pid":1,"agent":"a","project":"/","account":"x","auth":"y","backend":"z"}"#,
    ] {
        std::fs::write(&note, text).unwrap();
        assert_eq!((live_runs(&runtime).len(), &live_runs(&runtime)[0].about), (1, &None), "{text}");
    }
    std::fs::remove_file(&note).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &note).unwrap();
    assert_eq!(live_runs(&runtime)[0].about, None);
    for name in ["a.lock", "b.lock"] {
        let path = runtime.join("runs").join(name);
        rustix::fs::mknodat(rustix::fs::CWD, path.as_str(), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
    }
    assert_eq!(live_runs(&runtime).len(), 1);
}
