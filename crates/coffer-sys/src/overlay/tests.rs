use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;

use super::{Layers, Overlay, OverlayError, Step};

/// Four folders; gone with the value.
struct Ground(PathBuf);

impl Ground {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("coffer-overlay-{name}-{}", std::process::id()));
        for folder in ["lower", "upper", "work", "copy"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("lower/old"), "old").unwrap();
        Self(root)
    }

    fn mount(&self) -> Result<Overlay, OverlayError> {
        let [lower, upper, work] =
            ["lower", "upper", "work"].map(|name| File::open(self.0.join(name)).unwrap());
        let layers = Layers {
            lower: lower.as_fd(),
            upper: upper.as_fd(),
            work: work.as_fd(),
            target: &self.0.join("copy"),
        };
        Overlay::mount(&layers)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = Command::new("chmod").args(["-R", "u+rwx"]).arg(&self.0).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a machine without overlays says; a test has nothing to show there then.
fn is_refused(error: &OverlayError) -> bool {
    matches!(error.step, Step::Namespaces | Step::Identity | Step::Open | Step::Create | Step::Mount)
}

#[test]
fn a_child_in_the_namespaces_writes_above_and_the_host_sees_nothing_of_it() {
    let ground = Ground::new("writes");
    let overlay = match ground.mount() {
        Ok(overlay) => overlay,
        Err(error) if is_refused(&error) => return,
        Err(error) => panic!("{error:?}"),
    };
    let copy = ground.0.join("copy");
    assert_eq!(fs::read_dir(&copy).unwrap().count(), 0, "it is mounted elsewhere, not here");
    let script = "cat old && echo new > new && echo changed > old && id -u";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("cd {} && {script}", copy.display())]);
    overlay.enter(&mut command).unwrap();
    let output = command.output().unwrap();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("old{uid}\n"));
    assert_eq!(fs::read_to_string(ground.0.join("lower/old")).unwrap(), "old");
    assert!(!ground.0.join("lower/new").exists());
    // Both through the tree and in the layer.
    let seen =
        rustix::fs::openat(overlay.tree(), "new", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    assert_eq!(std::io::read_to_string(File::from(seen.unwrap())).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(ground.0.join("upper/old")).unwrap(), "changed\n");
}

#[test]
fn a_refusal_says_where() {
    let ground = Ground::new("refused");
    fs::remove_dir(ground.0.join("copy")).unwrap();
    let error = ground.mount().unwrap_err();
    assert!(error.step == Step::Mount || is_refused(&error), "{error:?}");
}
