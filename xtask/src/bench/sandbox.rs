//! The commands that are measured: `true` bare, in the sandbox, and in the same sandbox by hand.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::rounds::Variant;
use crate::error::Error;

/// What is run inside; by path, so that no shell and no search takes part.
pub(super) const PROGRAM: &str = "/usr/bin/true";

/// What `coffer run` is measured with: no questions, no audit, no network.
const OPTIONS: &[&str] = &["--audit", "never", "--network", "none"];

/// A home and a project of the measurement's own.
pub(super) struct Sandbox {
    coffer: PathBuf,
    folder: TempDir,
}

impl Sandbox {
    pub(super) fn new(coffer: &Path) -> Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let coffer = std::path::absolute(coffer).map_err(failed(coffer))?;
        let parent = std::env::temp_dir();
        let folder =
            tempfile::Builder::new().prefix("coffer-bench-").tempdir_in(&parent).map_err(failed(&parent))?;
        let sandbox = Self { coffer, folder };
        for name in ["home", "project", "run"] {
            let path = sandbox.folder.path().join(name);
            std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed(&path))?;
        }
        Ok(sandbox)
    }

    /// The measured program.
    pub(super) fn coffer(&self) -> &Path {
        &self.coffer
    }

    /// Where it is run.
    pub(super) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The whole environment of what is run.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("HOME".into(), self.folder.path().join("home").into()),
            ("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
            ("XDG_RUNTIME_DIR".into(), self.folder.path().join("run").into()),
        ]
    }

    /// A command in the project with the measurement's own home, and nothing of the caller's environment.
    pub(super) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.env_clear().envs(self.environment()).current_dir(self.project());
        command
    }

    /// `coffer run` of a command inside.
    pub(super) fn coffer_run(&self, inside: &[&str]) -> Command {
        let mut command = self.command(&self.coffer);
        command.arg("run").args(OPTIONS).arg("--").args(inside);
        command
    }

    pub(super) fn nothing(&self) -> Variant {
        let template = Template::of(&self.command(PROGRAM));
        Variant { name: "true", command: Box::new(move || template.command()) }
    }

    pub(super) fn run(&self) -> Variant {
        let template = Template::of(&self.coffer_run(&[PROGRAM]));
        Variant { name: "coffer run", command: Box::new(move || template.command()) }
    }

    /// The printed command line from `bwrap` on, without `coffer exec-launch` before it.
    pub(super) fn by_hand(&self) -> Result<Variant, Error> {
        let mut dry = self.command(&self.coffer);
        dry.arg("run").args(OPTIONS).args(["--dry-run=command", "--", PROGRAM]);
        let failed =
            |stderr: String| Error::Failed { command: "coffer run --dry-run=command".to_owned(), stderr };
        let output = dry.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = from_bwrap(&line).ok_or_else(|| failed(format!("no `bwrap` in: {line}")))?;
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        let template = Template::of(&command);
        Ok(Variant { name: "bwrap by hand", command: Box::new(move || template.command()) })
    }

    /// The sandbox's init outside of any sandbox.
    pub(super) fn init_alone(&self) -> Result<Variant, Error> {
        let link = self.folder.path().join("coffer-init");
        symlink(&self.coffer, &link).map_err(|source| Error::Write { path: link.clone(), source })?;
        let mut command = self.command(link);
        command.args(["--", PROGRAM]);
        let template = Template::of(&command);
        Ok(Variant { name: "coffer-init", command: Box::new(move || template.command()) })
    }
}

/// A command that can be made again and again.
struct Template {
    words: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
}

impl Template {
    fn of(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsString::from);
        let environment = command.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into())));
        Self {
            words: words.collect(),
            environment: environment.collect(),
            folder: command.get_current_dir().map(Path::to_owned),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// The words of a printed command line from the backend's program on.
fn from_bwrap(line: &str) -> Option<Vec<String>> {
    let words = shlex::split(line.trim())?;
    let at = words.iter().position(|word| Path::new(word).file_name().is_some_and(|name| name == "bwrap"))?;
    Some(words[at..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::from_bwrap;

    #[test]
    fn the_hand_made_command_begins_at_bwrap() {
        let line = "coffer exec-launch --ref 'a b' -- /usr/bin/bwrap --bind '/tmp/it'\\''s' /p -- true\n";
        let words = from_bwrap(line).expect("it has a bwrap");
        assert_eq!(words, ["/usr/bin/bwrap", "--bind", "/tmp/it's", "/p", "--", "true"]);
        assert_eq!(from_bwrap("podman run"), None);
    }
}
