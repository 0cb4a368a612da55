use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::CredentialKind;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::{BackupError, Content, Identities, Manifest, Part, Recipients, create, read};
use crate::record::{AccountRecord, RECORD_SCHEMA};
use crate::seal::{Opener, Seal};
use crate::secret::Secret;

const LOGIN: &str = r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-canary","refreshToken":"x"}}"#;

struct World {
    keep: TempDir,
    seal: Seal,
    opener: Opener,
}

fn world() -> World {
    let keep = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(keep.path().join("data")).unwrap();
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    World { opener: Opener::of_with(&data, None).unwrap(), seal, keep }
}

fn manifest() -> Manifest {
    let record = AccountRecord {
        schema: RECORD_SCHEMA,
        name: "work".parse().unwrap(),
        agent: "claude".into(),
        kind: CredentialKind::Subscription,
        created_at_ms: 7,
        base_url: None,
        model: None,
        timeout_ms: None,
        helper: None,
        marker: None,
        refused: None,
    };
    Manifest::new(record, None, true, 9)
}

impl World {
    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.keep.path().join(name)).unwrap()
    }

    fn folder(&self, name: &str) -> Utf8PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// A backup with these folders; its file.
    fn made(&self, to: &Recipients, state: Option<&Utf8Path>) -> Utf8PathBuf {
        let file = self.path("backup.age");
        let folders = state.map(|path| (Part::State, OwnedFd::from(File::open(path).unwrap())));
        let content = Content {
            manifest: manifest(),
            login: Some(LOGIN.as_bytes()),
            secret: None,
            folders: folders.into_iter().collect(),
            progress: None,
        };
        create(File::create(&file).unwrap(), to, &content).unwrap();
        file
    }

    fn opened(&self, file: &Utf8Path, into: Option<&Utf8Path>) -> Result<super::Unpacked, BackupError> {
        read(File::open(file).unwrap(), &Identities::own(&self.opener), into)
    }
}

#[test]
fn a_whole_account_comes_back_and_what_does_not_fit_was_left_out() {
    let world = world();
    let state = world.folder("state");
    let long = "x".repeat(180);
    fs::create_dir_all(state.join("projects").join(&long)).unwrap();
    fs::write(state.join("projects").join(&long).join("a b.jsonl"), "history").unwrap();
    fs::write(state.join("empty"), "").unwrap();
    // What an agent could leave to have something else read.
    let outside = world.path("outside");
    fs::write(&outside, "FAKE-outside").unwrap();
    symlink(&outside, state.join("link")).unwrap();
    fs::hard_link(&outside, state.join("second-name")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        state.join("pipe").as_std_path(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let file = world.made(&Recipients::own(&world.seal), Some(&state));
    let sealed = fs::read(&file).unwrap();
    assert!(!sealed.windows(4).any(|window| window == b"FAKE"));
    let into = world.folder("into");
    let unpacked = world.opened(&file, Some(&into)).unwrap();
    assert_eq!(unpacked.manifest, manifest());
    assert_eq!(unpacked.login.unwrap().expose(), LOGIN.as_bytes());
    let back = into.join("state/projects").join(&long).join("a b.jsonl");
    assert_eq!(fs::read_to_string(&back).unwrap(), "history");
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(into.join("state/empty")).unwrap(), b"");
    for skipped in ["link", "second-name", "pipe"] {
        assert!(into.join("state").join(skipped).symlink_metadata().is_err(), "{skipped}");
    }
    // Reading it through, as `verify` does, writes nothing.
    assert_eq!(world.opened(&file, None).unwrap().progress, unpacked.progress);
}

#[test]
fn every_cut_is_found() {
    let world = world();
    let file = world.made(&Recipients::own(&world.seal), None);
    let whole = fs::read(&file).unwrap();
    world.opened(&file, None).unwrap();
    for length in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
        fs::write(&file, &whole[..length]).unwrap();
        world.opened(&file, None).unwrap_err();
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, changed).unwrap();
    assert!(matches!(world.opened(&file, None), Err(BackupError::Damaged(_))));
}

#[test]
fn recipients_and_passphrases_open_what_is_theirs_and_nothing_else() {
    let world = world();
    let other = super::super::seal::Seal::open_or_make_with(&world.path("other"), None).unwrap();
    let file = world.made(&Recipients::also(&world.seal, &[other.recipient()]).unwrap(), None);
    let theirs = Identities::file(&world.path("other/seal/identity")).unwrap();
    read(File::open(&file).unwrap(), &theirs, None).unwrap();
    world.opened(&file, None).unwrap();
    let file = world.made(&Recipients::own(&world.seal), None);
    assert!(matches!(read(File::open(&file).unwrap(), &theirs, None), Err(BackupError::NotOurs)));
    let word = |text: &str| Secret::new(text.as_bytes().to_vec());
    let file = world.made(&Recipients::passphrase(&word("made up")), None);
    assert!(matches!(world.opened(&file, None), Err(BackupError::NeedsPassphrase)));
    read(File::open(&file).unwrap(), &Identities::passphrase(&word("made up")), None).unwrap();
    let wrong = read(File::open(&file).unwrap(), &Identities::passphrase(&word("other")), None);
    assert!(matches!(wrong, Err(BackupError::NotOurs)));
    for bad in ["age1nonsense", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ==", "/nonexistent"] {
        assert!(Recipients::also(&world.seal, &[bad.to_owned()]).is_err(), "{bad}");
    }
}

/// A sealed tar with a manifest and then these entries.
fn hostile(world: &World, entries: &[(EntryType, &[u8], u64)]) -> Utf8PathBuf {
    let file = world.path("hostile.age");
    let mut tar = Builder::new(Recipients::own(&world.seal).seal(File::create(&file).unwrap()).unwrap());
    let text = serde_json::to_vec(&manifest()).unwrap();
    let mut header = Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_entry_type(EntryType::Regular);
    tar.append_data(&mut header, "backup.json", text.as_slice()).unwrap();
    for (kind, name, size) in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(*kind);
        header.set_size(*size);
        header.set_cksum();
        tar.append(&header, &vec![b'x'; usize::try_from(*size).unwrap_or(0).min(9000)][..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap().flush().unwrap();
    file
}

#[test]
fn whatever_no_backup_of_ours_holds_refuses_it() {
    let world = world();
    // The positive control.
    let file = hostile(&world, &[(EntryType::Directory, b"state", 0), (EntryType::Regular, b"state/a", 3)]);
    world.opened(&file, Some(&world.folder("good"))).unwrap();
    let bad: [(EntryType, &[u8], u64); 15] = [
        (EntryType::Regular, b"state/../../evil", 1),
        (EntryType::Regular, b"../evil", 1),
        (EntryType::Regular, b"/tmp/evil", 1),
        (EntryType::Regular, b"evil", 1),
        (EntryType::Regular, b"state", 1),
        (EntryType::Regular, b"state/\x1b[2J", 1),
        (EntryType::Regular, b"state/\xff", 1),
        (EntryType::Symlink, b"state/a", 0),
        (EntryType::Link, b"state/a", 0),
        (EntryType::Char, b"state/a", 0),
        (EntryType::Block, b"state/a", 0),
        (EntryType::Fifo, b"state/a", 0),
        (EntryType::GNULongName, b"././@LongLink", 9000),
        (EntryType::XHeader, b"state/pax", 10),
        (EntryType::Regular, b"backup.json", 1),
    ];
    for (number, entry) in bad.into_iter().enumerate() {
        let into = world.folder(&format!("into{number}"));
        fs::create_dir(into.join("inner")).unwrap();
        let file = hostile(&world, &[(EntryType::Directory, b"state", 0), entry]);
        let refused = world.opened(&file, Some(&into.join("inner"))).unwrap_err();
        let told = refused.to_string();
        assert!(matches!(refused, BackupError::Hostile { .. }), "{number}: {told}");
        assert!(!told.chars().any(char::is_control), "{told:?}");
        assert!(!into.join("evil").exists() && !Utf8Path::new("/tmp/evil").exists());
    }
    // A size that no disc has, and the same name twice.
    let file =
        hostile(&world, &[(EntryType::Directory, b"state", 0), (EntryType::Regular, b"state/a", 1 << 40)]);
    assert!(matches!(world.opened(&file, None), Err(BackupError::Hostile { .. })));
    let twice = (EntryType::Regular, b"state/a".as_slice(), 1);
    let file = hostile(&world, &[(EntryType::Directory, b"state", 0), twice, twice]);
    world.opened(&file, Some(&world.folder("twice"))).unwrap_err();
}
