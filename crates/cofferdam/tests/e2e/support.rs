//! What all themes share: a stage to run `coffer` on, what came of a run, and checks of it.

pub(crate) mod practice;
pub(crate) mod record;
pub(crate) mod screen;
pub(crate) mod tree;

use std::borrow::BorrowMut;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use coffer_testkit::{Scratch, require};

/// The search path of all tests: what a machine with the packages of `./x test` has.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A home of its own, and who runs `coffer` in it.
pub(crate) struct Stage {
    pub(crate) scratch: Scratch,
    user: Option<String>,
    coffer: PathBuf,
}

impl Stage {
    /// Run by whoever runs the tests.
    pub(crate) fn new() -> Self {
        let coffer = PathBuf::from(env!("CARGO_BIN_EXE_coffer"));
        Self { scratch: Scratch::new().unwrap(), user: None, coffer }
    }

    /// Run by the ordinary user that `COFFER_TEST_USER` names; `None` when there is none, or when the tests
    /// are run by one anyway: then all of them are about an ordinary user.
    pub(crate) fn of_ordinary_user() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let Some(user) = std::env::var("COFFER_TEST_USER").ok().filter(|name| !name.is_empty()) else {
            require::skip("user", "`COFFER_TEST_USER` is not set");
            return None;
        };
        let stage = Self { user: Some(user), ..Self::new() };
        // The build folder may be closed to others.
        let coffer = stage.scratch.root().join("bin/coffer");
        std::fs::create_dir(coffer.parent().unwrap()).unwrap();
        std::fs::copy(&stage.coffer, &coffer).unwrap();
        std::fs::set_permissions(&coffer, PermissionsExt::from_mode(0o755)).unwrap();
        Some(Self { coffer, ..stage })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.home()
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.scratch.project()
    }

    /// `XDG_DATA_HOME/cofferdam`.
    pub(crate) fn data(&self) -> PathBuf {
        self.home().join(".local/share/cofferdam")
    }

    /// The program under test.
    pub(crate) fn program(&self) -> &Path {
        &self.coffer
    }

    /// A command of the stage's user with the stage's environment, in the project, nothing on stdin.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match &self.user {
            None => self.scratch.command(program),
            Some(user) => {
                // With their group: what belongs to a group of somebody else is closed to a user's containers.
                run(Command::new("chown").args(["-R", "-h", &format!("{user}:")]).arg(self.scratch.root()));
                let group = run(Command::new("id").args(["-g", user]));
                let mut command = self.scratch.command("setpriv");
                command.args(["--reuid", user, "--regid", group.text().trim(), "--init-groups", "--"]);
                command.arg(program);
                command
            }
        };
        command.env("PATH", PATH).stdin(Stdio::null());
        command
    }

    /// `coffer` with these words.
    pub(crate) fn coffer<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(&self.coffer);
        command.args(words);
        if command.get_args().any(|word| word == "doctor") {
            // It asks the engines that it finds: the machine's own are told of as another machine's, and not asked.
            command
                .env("CONTAINER_HOST", "unix:///nowhere/podman.sock")
                .env("DOCKER_HOST", "tcp://127.0.0.1:1");
        }
        command
    }

    /// `coffer run --audit never --yes` with these words: nobody is asked when one run gets more than the last.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.coffer(["run", "--audit", "never", "--yes"]);
        command.args(words);
        command
    }

    /// A shell script in the sandbox, without audit.
    pub(crate) fn inside(&self, flags: &[&str], script: &str) -> Ran {
        run(self.run(flags).args(["--", "sh", "-c", script]))
    }

    /// Writes the user's config file.
    pub(crate) fn config(&self, text: &str) {
        self.scratch.write_home(".config/cofferdam/config.toml", text).unwrap();
    }

    /// Writes a file of the project, readable for all, with its folders.
    pub(crate) fn project_file(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.project().join(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: impl BorrowMut<Command>) -> Ran {
    let command = command.borrow_mut();
    Ran::from(command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

/// Runs a command to its end with these bytes on its stdin.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        Ran::from(child.wait_with_output().unwrap())
    })
}

impl Ran {
    /// What it printed.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// It ended with this code.
    #[track_caller]
    pub(crate) fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// It ended well and printed exactly this.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        self.ends_with(0);
        assert_eq!(self.text(), text, "{self}");
        self
    }

    /// It ended well, and this is the JSON that it printed.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        self.ends_with(0);
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// It failed as the contract has it: the exit code, `error[CODE]: …` with these words, a hint with those,
    /// all of it on stderr; no backtrace.
    #[track_caller]
    pub(crate) fn refuses(&self, exit: i32, code: &str, words: &str, hint: &str) -> &Self {
        self.ends_with(exit);
        assert!(self.stdout.is_empty(), "stdout is for data: {self}");
        let errors: Vec<&str> =
            self.stderr.lines().filter(|line| line.starts_with(&format!("error[{code}]: "))).collect();
        assert!(!errors.is_empty(), "no `error[{code}]`: {self}");
        assert!(self.stderr.contains(words), "{words:?} is missing: {self}");
        let hinted = self.stderr.split("hint: ").skip(1).any(|rest| rest.contains(hint));
        assert!(hint.is_empty() || hinted, "no hint with {hint:?}: {self}");
        for noise in ["panicked", "backtrace", "RUST_"] {
            assert!(!self.stderr.contains(noise), "{self}");
        }
        self
    }

    /// Neither stream holds any of these.
    #[track_caller]
    pub(crate) fn keeps_secret(&self, canaries: &[&str]) -> &Self {
        for canary in canaries {
            assert!(!self.text().contains(canary) && !self.stderr.contains(canary), "{canary}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        write!(out, "exit {:?}\n--- stdout\n{text}\n--- stderr\n{}", self.code, self.stderr)
    }
}

/// Whether bubblewrap can make a sandbox here; else the test skips.
pub(crate) fn sandboxes() -> bool {
    require::bwrap().is_some() && require::userns()
}
