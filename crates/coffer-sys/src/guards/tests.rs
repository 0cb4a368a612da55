use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Assembly, Failed, Guard, Mounts, Part, enter};

/// A folder of the test's own.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("coffer-guards-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("folder")).unwrap();
        let path = path.canonicalize().unwrap();
        std::fs::write(path.join("folder/file"), "before").unwrap();
        Self(path)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// A script in a child with these guards.
    fn run(&self, guards: Vec<Guard>, script: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.0);
        let _report = enter(&mut command, Mounts { guards, assembly: None }, false).unwrap();
        command.output().unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn object(path: &Path) -> (u64, u64) {
    let found = path.symlink_metadata().unwrap();
    (found.dev(), found.ino())
}

/// Whether namespaces can be made here; else the test has nothing to look at.
fn can_part(ground: &Ground) -> bool {
    let mut command = Command::new("true");
    let _report = enter(&mut command, Mounts::default(), false).unwrap();
    let can = command.current_dir(&ground.0).status().is_ok();
    assert!(can || !rustix::process::geteuid().is_root(), "root can always part from the host's mounts");
    can
}

#[test]
fn a_guarded_folder_is_neither_written_nor_moved_away_and_only_there() {
    let ground = Ground::new("folder");
    if !can_part(&ground) {
        return;
    }
    let folder = ground.path("folder");
    let guard = |read_only| vec![Guard::itself(&folder, Some(object(&folder)), read_only).unwrap()];
    assert!(!ground.run(guard(true), "echo x > folder/file").status.success());
    assert!(!ground.run(guard(true), "mv folder away").status.success());
    assert!(!ground.run(guard(false), "mv folder away").status.success());
    assert!(ground.run(guard(false), "echo inside > folder/file").status.success());
    assert_eq!(std::fs::read_to_string(ground.path("folder/file")).unwrap(), "inside\n");
    std::fs::rename(&folder, ground.path("away")).unwrap();
}

#[test]
fn a_mounted_link_leads_whoever_opens_the_file_elsewhere() {
    let ground = Ground::new("link");
    if !can_part(&ground) {
        return;
    }
    let (file, link) = (ground.path("folder/file"), ground.path("link"));
    std::fs::create_dir(ground.path("copy")).unwrap();
    std::os::unix::fs::symlink(ground.path("copy/file"), &link).unwrap();
    let guards = vec![Guard::link(&link, &file, object(&file)).unwrap()];
    let ran = ground.run(guards, "echo inside > folder/file; rm -f folder/file; cat folder/file");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "inside\n", "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
    assert_eq!(std::fs::read_to_string(ground.path("copy/file")).unwrap(), "inside\n");
}

#[test]
fn what_was_exchanged_keeps_the_child_from_beginning_and_is_named() {
    let ground = Ground::new("exchanged");
    if !can_part(&ground) {
        return;
    }
    let folder = ground.path("folder");
    let link = ground.path("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    for (place, object) in
        [(&folder, Some(object(&ground.0))), (&ground.path("nothing"), None), (&link.join("file"), None)]
    {
        let fine = Guard::itself(&folder, None, true).unwrap();
        let guards = vec![fine, Guard::itself(place, object, true).unwrap()];
        let mut command = Command::new("true");
        let report = enter(&mut command, Mounts { guards, assembly: None }, false).unwrap();
        assert!(command.status().is_err(), "{}", place.display());
        assert_eq!(report.failed(), Some(Failed::Guard(1)), "{}", place.display());
    }
}

#[test]
fn a_folder_is_put_together_and_cannot_be_written() {
    let ground = Ground::new("assembly");
    if !can_part(&ground) {
        return;
    }
    let (folder, file) = (ground.path("folder"), ground.path("folder/file"));
    let at = ground.path("at");
    std::fs::create_dir(&at).unwrap();
    let parts = vec![
        Part::bind(Path::new("deep/er/file"), &file, object(&file), false).unwrap(),
        Part::bind(Path::new("deep/folder"), &folder, object(&folder), true).unwrap(),
        Part::link(Path::new("link"), "deep/er/file").unwrap(),
        Part::text(Path::new("text"), "made\n".to_owned()).unwrap(),
    ];
    let mounts = Mounts { assembly: Some(Assembly::new(&at, parts).unwrap()), guards: Vec::new() };
    let mut command = Command::new("sh");
    // Nobody but its maker could read it by that mask.
    let script = "cd at && cat link text && find . -type f -perm 0644 | sort && stat -c %a . deep \
        && ! touch new 2>&- && ! touch deep/new 2>&- && ! touch deep/folder/new 2>&- && ! rm text 2>&-";
    command.args(["-c", script]).current_dir(&ground.0);
    // SAFETY: one system call.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::umask(0o077);
            Ok(())
        })
    };
    let _report = enter(&mut command, mounts, false).unwrap();
    let ran = command.output().unwrap();
    let shown = "before".to_owned() + "made\n./deep/er/file\n./deep/folder/file\n./text\n755\n755\n";
    assert_eq!(String::from_utf8_lossy(&ran.stdout), shown, "{ran:?}");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(std::fs::read_dir(&at).unwrap().count(), 0, "the host sees nothing of it");
}

#[test]
fn a_part_that_was_exchanged_is_named() {
    let ground = Ground::new("part");
    if !can_part(&ground) {
        return;
    }
    let (folder, file) = (ground.path("folder"), ground.path("folder/file"));
    let parts = vec![
        Part::text(Path::new("text"), String::new()).unwrap(),
        Part::bind(Path::new("file"), &file, object(&folder), false).unwrap(),
    ];
    let assembly = Assembly::new(&folder, parts).unwrap();
    let mut command = Command::new("true");
    let mounts = Mounts { assembly: Some(assembly), guards: Vec::new() };
    let report = enter(&mut command, mounts, false).unwrap();
    assert!(command.status().is_err());
    assert_eq!(report.failed(), Some(Failed::Part(1)));
    let nowhere = Assembly::new(&ground.path("nothing"), Vec::new()).unwrap();
    let mut command = Command::new("true");
    let report = enter(&mut command, Mounts { assembly: Some(nowhere), guards: Vec::new() }, false).unwrap();
    assert!(command.status().is_err());
    assert_eq!(report.failed(), Some(Failed::Assembly));
}
