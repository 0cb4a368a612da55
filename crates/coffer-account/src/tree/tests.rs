use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode};

use super::*;

/// A tree to be read, a folder to copy to, and something outside of both that nobody may see.
struct Ground {
    _home: tempfile::TempDir,
    tree: PathBuf,
    to: PathBuf,
    outside: PathBuf,
}

const SECRET: &str = "outside-canary";

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let [tree, to, outside] = ["tree", "to", "outside"].map(|name| home.path().join(name));
        for folder in [&tree, &to, &outside] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(outside.join("secret"), SECRET).unwrap();
        Self { _home: home, tree, to, outside }
    }

    /// A file of the tree, with its folders.
    fn file(&self, path: &str, content: &[u8]) -> PathBuf {
        let path = self.tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn copies(&self, limits: Limits) -> Walked {
        let how = Walk::within(limits);
        let options = CopyOptions { sync: true, ..CopyOptions::default() };
        copy(File::open(&self.tree).unwrap().as_fd(), File::open(&self.to).unwrap().as_fd(), &how, options)
            .unwrap()
    }

    fn copied(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.to.join(path)).ok()
    }
}

fn skipped(walked: &Walked) -> Vec<(&str, Why)> {
    walked.skipped.listed.iter().map(|one| (one.path.as_str(), one.why)).collect()
}

/// Whether any file below holds what stands outside.
fn leaked(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => leaked(&path),
        false => fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(SECRET)),
    })
}

#[test]
fn plain_files_and_folders_come_across_whole_private_and_ours() {
    let ground = Ground::new();
    ground.file("a/b/note", b"kept");
    let tool = ground.file("tool", b"#!/bin/sh\n");
    fs::set_permissions(&tool, Permissions::from_mode(0o6755)).unwrap();
    fs::create_dir(ground.tree.join("empty")).unwrap();
    let walked = ground.copies(Limits::default());
    assert!(walked.skipped.is_empty(), "{walked:?}");
    assert_eq!(walked.progress, Progress { files: 2, folders: 3, bytes: 14 });
    assert_eq!(ground.copied("a/b/note").unwrap(), b"kept");
    let mode = |path: &str| fs::metadata(ground.to.join(path)).unwrap().mode() & 0o7777;
    assert_eq!((mode("a"), mode("a/b/note"), mode("tool"), mode("empty")), (0o700, 0o600, 0o600, 0o700));
    let again = ground.to.join("again");
    fs::create_dir(&again).unwrap();
    let options = CopyOptions { keep_executable: true, ..CopyOptions::default() };
    let (from, to) = (File::open(&ground.tree).unwrap(), File::open(&again).unwrap());
    copy(from.as_fd(), to.as_fd(), &Walk::within(Limits::default()), options).unwrap();
    assert_eq!(mode("again/tool"), 0o700, "executable, and no set-id bit");
}

#[test]
fn links_pipes_sockets_and_hard_links_are_listed_and_never_followed() {
    let ground = Ground::new();
    ground.file("good", b"good");
    symlink(ground.outside.join("secret"), ground.tree.join("file-link")).unwrap();
    symlink(&ground.outside, ground.tree.join("folder-link")).unwrap();
    symlink("loop-b", ground.tree.join("loop-a")).unwrap();
    symlink("loop-a", ground.tree.join("loop-b")).unwrap();
    symlink(".", ground.tree.join("self")).unwrap();
    fs::hard_link(ground.outside.join("secret"), ground.tree.join("second-name")).unwrap();
    rustix::fs::mknodat(CWD, ground.tree.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(ground.tree.join("socket")).unwrap();
    // A control: by the usual means all of these lead out.
    assert_eq!(fs::read_to_string(ground.tree.join("folder-link/secret")).unwrap(), SECRET);
    let walked = ground.copies(Limits::default());
    let expected = [
        ("file-link", Why::Link),
        ("folder-link", Why::Link),
        ("loop-a", Why::Link),
        ("loop-b", Why::Link),
        ("pipe", Why::Fifo),
        ("second-name", Why::HardLink),
        ("self", Why::Link),
        ("socket", Why::Socket),
    ];
    assert_eq!(skipped(&walked), expected);
    assert_eq!(ground.copied("good").unwrap(), b"good");
    assert!(!leaked(&ground.to));
}

#[test]
fn a_folder_that_is_swapped_for_a_link_under_way_leads_nowhere() {
    let ground = Ground::new();
    for number in 0..20 {
        ground.file(&format!("in/secret{number}"), b"inside");
    }
    ground.file("in/secret", b"inside");
    let (folder, aside) = (ground.tree.join("in"), ground.tree.join("aside"));
    symlink(&ground.outside, &aside).unwrap();
    let (stop, mut naive) = (AtomicBool::new(false), false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &folder, CWD, &aside, exchange).unwrap();
            }
        });
        for _ in 0..40 {
            let to = ground.to.join("one");
            fs::create_dir(&to).unwrap();
            let (from, into) = (File::open(&ground.tree).unwrap(), File::open(&to).unwrap());
            let how = Walk::within(Limits::default());
            copy(from.as_fd(), into.as_fd(), &how, CopyOptions::default()).unwrap();
            assert!(!leaked(&ground.to));
            fs::remove_dir_all(&to).unwrap();
        }
        // The control: whoever goes by paths is led out sooner or later.
        for _ in 0..1_000_000 {
            naive = fs::read_to_string(folder.join("secret")).is_ok_and(|text| text == SECRET);
            if naive {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(naive, "the attack works where nobody guards against it");
}

#[test]
fn a_file_that_grows_while_it_is_read_is_listed_and_not_kept() {
    let ground = Ground::new();
    ground.file("a-still", b"still");
    let growing = ground.file("growing", &[b'x'; 4096]);
    let grow = |action: &'static str| {
        if action == "write" {
            let mut more = OpenOptions::new().append(true).open(&growing).unwrap();
            more.write_all(b"more").unwrap();
        }
        Ok(())
    };
    let options = CopyOptions { before: Some(&grow), ..CopyOptions::default() };
    let (from, to) = (File::open(&ground.tree).unwrap(), File::open(&ground.to).unwrap());
    let walked = copy(from.as_fd(), to.as_fd(), &Walk::within(Limits::default()), options).unwrap();
    assert_eq!(skipped(&walked), [("growing", Why::Changed)]);
    assert_eq!(ground.copied("growing"), None);
    assert_eq!(ground.copied("a-still").unwrap(), b"still");
}

#[test]
fn sizes_depth_and_number_are_bounded() {
    let ground = Ground::new();
    ground.file("big", &[0; 2000]);
    ground.file("small", &[0; 100]);
    let mut deep = ground.tree.clone();
    for _ in 0..40 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let limits = Limits { file_bytes: 1000, total_bytes: 5000, depth: 8, entries: 1000 };
    let walked = ground.copies(limits);
    assert_eq!(skipped(&walked), [("big", Why::TooLarge), ("d/d/d/d/d/d/d/d", Why::TooDeep)]);
    assert_eq!(ground.copied("small").unwrap().len(), 100);

    let many = Ground::new();
    for number in 0..300 {
        many.file(&format!("{number:03}"), &[0; 10]);
    }
    let walked = many.copies(Limits { entries: 100, ..limits });
    assert_eq!(walked.progress.files, 100);
    assert_eq!(skipped(&walked), [("…", Why::TooMany)]);
    let control = Ground { to: many.outside.clone(), ..many };
    assert_eq!(control.copies(limits).progress.files, 300, "within the limits all of them come");
    let total = Ground::new();
    for name in ["a", "b", "c"] {
        total.file(name, &[0; 900]);
    }
    let walked = total.copies(Limits { total_bytes: 2000, ..limits });
    assert_eq!(skipped(&walked), [("c", Why::TotalTooLarge)]);
}

#[test]
fn a_flood_of_names_ends_at_the_limit() {
    let ground = Ground::new();
    let folder = ground.tree.join("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..30_000 {
        File::create(folder.join(number.to_string())).unwrap();
    }
    let limits = Limits { entries: 5_000, ..Limits::default() };
    let mut seen = 0;
    let root = File::open(&ground.tree).unwrap();
    let walked = walk::<io::Error>(root.as_fd(), &Walk::within(limits), &mut |_| {
        seen += 1;
        Ok(Ok(()))
    });
    assert_eq!(seen, 5_000);
    assert_eq!(skipped(&walked.unwrap()), [("many/…", Why::TooMany)]);
}

#[test]
fn names_that_are_no_text_are_listed_without_their_tricks() {
    use std::os::unix::ffi::OsStrExt;
    let ground = Ground::new();
    ground.file("fine näme", b"1");
    for raw in [&b"line\nbreak"[..], b"esc\x1b[2J", b"\xff\xfe"] {
        File::create(ground.tree.join(std::ffi::OsStr::from_bytes(raw))).unwrap();
    }
    let walked = ground.copies(Limits::default());
    assert_eq!(walked.progress.files, 1);
    assert_eq!(walked.skipped.listed.len(), 3);
    for one in &walked.skipped.listed {
        assert_eq!(one.why, Why::Name);
        assert!(!one.path.chars().any(char::is_control), "{one:?}");
    }
}

#[test]
fn the_list_of_what_is_skipped_is_bounded_and_counts_on() {
    let ground = Ground::new();
    for number in 0..500 {
        symlink("/", ground.tree.join(format!("{number}-{}", "x".repeat(200)))).unwrap();
    }
    let walked = ground.copies(Limits::default());
    assert_eq!(walked.skipped.listed.len() as u64 + walked.skipped.more, 500);
    assert!(walked.skipped.listed.len() < 500);
}

#[test]
fn what_the_filter_leaves_out_is_not_even_opened_and_progress_is_told() {
    let ground = Ground::new();
    ground.file("keep/one", b"1");
    ground.file("drop/two", b"22");
    let told = std::cell::Cell::new(Progress::default());
    let filter = |path: &Utf8Path| path != "drop";
    let progress = |progress: Progress| told.set(progress);
    let how = Walk { limits: Limits::default(), filter: Some(&filter), progress: Some(&progress) };
    let (from, to) = (File::open(&ground.tree).unwrap(), File::open(&ground.to).unwrap());
    let walked = copy(from.as_fd(), to.as_fd(), &how, CopyOptions::default()).unwrap();
    assert_eq!(told.get(), walked.progress);
    assert_eq!((walked.progress.files, ground.copied("drop/two")), (1, None));
    assert!(walked.skipped.is_empty());
}

#[test]
fn a_disc_that_fails_ends_the_copy_at_every_step() {
    let ground = Ground::new();
    ground.file("a/one", b"1");
    let calls = std::cell::Cell::new(0);
    let fails_at = std::cell::Cell::new(usize::MAX);
    let before = |_: &'static str| {
        calls.set(calls.get() + 1);
        match calls.get() - 1 == fails_at.get() {
            true => Err(io::Error::from(Errno::NOSPC)),
            false => Ok(()),
        }
    };
    let options = CopyOptions { before: Some(&before), sync: true, keep_executable: false };
    let run = |to: &str| {
        let to = ground.to.join(to);
        fs::create_dir(&to).unwrap();
        let (from, to) = (File::open(&ground.tree).unwrap(), File::open(&to).unwrap());
        calls.set(0);
        copy(from.as_fd(), to.as_fd(), &Walk::within(Limits::default()), options)
    };
    run("whole").unwrap();
    let all = calls.get();
    assert!(all >= 5, "{all}");
    for step in 0..all {
        fails_at.set(step);
        let error = run(&step.to_string()).unwrap_err();
        assert!(
            matches!(&error, CopyError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull),
            "{error:?}"
        );
    }
}
