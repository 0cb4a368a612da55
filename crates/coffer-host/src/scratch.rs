//! Scratch trees for this crate's tests.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::HostFacts;
use rustix::fs::{CWD, FileType, Mode};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::machine::Machine;

/// Stands for every secret: it must never be in any fact.
pub(crate) const CANARY: &str = "sk-ant-oat01-FAKE-canary-4711";

/// A folder of a test's own, with `home`, `project` and `bin` in it.
pub(crate) struct Scratch {
    root: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self { root: tempfile::tempdir().unwrap() };
        for folder in ["home", "project", "bin"] {
            std::fs::create_dir(scratch.path(folder)).unwrap();
        }
        scratch
    }

    /// The real path of something in it.
    pub(crate) fn path(&self, relative: &str) -> Utf8PathBuf {
        let root = self.root.path().canonicalize().unwrap();
        let root = Utf8PathBuf::from_path_buf(root).unwrap();
        if relative.is_empty() { root } else { root.join(relative) }
    }

    pub(crate) fn folder(&self, relative: &str) -> Utf8PathBuf {
        std::fs::create_dir_all(self.path(relative)).unwrap();
        self.path(relative)
    }

    pub(crate) fn file(&self, relative: &str, content: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn program(&self, relative: &str, content: &str) -> Utf8PathBuf {
        let path = self.file(relative, content);
        mode(&path, 0o755);
        path
    }

    pub(crate) fn link(&self, relative: &str, target: impl AsRef<OsStr>) -> Utf8PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target.as_ref(), &path).unwrap();
        path
    }

    pub(crate) fn fifo(&self, relative: &str) -> Utf8PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mknodat(CWD, path.as_str(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    /// This machine with the scratch home, project and PATH, and nothing else in the environment.
    pub(crate) fn machine(&self) -> Machine {
        let mut machine = Machine {
            environment: Vec::new(),
            current_folder: PathBuf::from(self.path("project")),
            proc: "/proc".into(),
            passwd: self.path("passwd"),
        };
        set(&mut machine, "HOME", self.path("home"));
        set(&mut machine, "PATH", self.path("bin"));
        machine
    }

    pub(crate) fn facts(&self) -> HostFacts {
        self.machine().base().unwrap()
    }

    /// Runs git in a folder, with nothing of the machine's own configuration.
    pub(crate) fn git(&self, folder: &Utf8Path, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org"])
            .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A repository with one commit.
    pub(crate) fn repository(&self, relative: &str) -> Utf8PathBuf {
        let folder = self.folder(relative);
        self.git(&folder, &["init", "-q"]);
        self.git(&folder, &["commit", "-q", "--allow-empty", "-m", "first"]);
        folder
    }
}

/// Sets a variable of a machine under test.
pub(crate) fn set(machine: &mut Machine, name: &str, value: impl AsRef<OsStr>) {
    machine.environment.retain(|(known, _)| known != name);
    let value: OsString = value.as_ref().to_owned();
    machine.environment.push((name.into(), value));
}

pub(crate) fn mode(path: &Utf8Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs something in a thread that permission bits bind, also when the tests run as root.
pub(crate) fn without_privileges<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let own = capabilities(None).unwrap();
            let none = CapabilitySets { effective: CapabilitySet::empty(), ..own };
            set_capabilities(None, none).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}
