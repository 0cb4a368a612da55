//! The commands that are measured: `true` bare, in the sandbox, and in the same sandbox by hand.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::FdFlags;
use tempfile::TempDir;

use super::rounds::{self, Ready, Variant};
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

    /// The home of what is run.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The state of the project; a run makes it.
    pub(super) fn state(&self) -> Result<PathBuf, Error> {
        let states = self.home().join(".local/share/cofferdam/state/claude/projects");
        let found = folders(&states)?;
        let none = || std::io::Error::from(std::io::ErrorKind::NotFound);
        found.into_iter().next().ok_or_else(|| Error::Read { path: states, source: none() })
    }

    /// Where the folders of runs are.
    pub(super) fn runs(&self) -> PathBuf {
        self.folder.path().join("run/cofferdam/runs")
    }

    /// The folders of the live runs.
    pub(super) fn folders_of_runs(&self) -> Result<Vec<PathBuf>, Error> {
        folders(&self.runs())
    }

    /// The leases of the live runs.
    pub(super) fn leases(&self) -> Result<Vec<PathBuf>, Error> {
        let runs = self.folders_of_runs()?;
        Ok(runs.into_iter().map(|run| run.join("lease/.credentials.json")).collect())
    }

    /// `coffer ps --json`.
    pub(super) fn ps(&self) -> Command {
        let mut command = self.command(&self.coffer);
        command.args(["ps", "--json"]);
        command
    }

    pub(super) fn listed(&self) -> Variant {
        self.plain("coffer ps", &self.ps())
    }

    /// The whole environment of what is run.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("HOME".into(), self.home().into()),
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
        self.coffer_run_with(&[], inside)
    }

    fn coffer_run_with(&self, options: &[&str], inside: &[&str]) -> Command {
        let mut command = self.command(&self.coffer);
        command.arg("run").args(OPTIONS).args(options).arg("--").args(inside);
        command
    }

    pub(super) fn nothing(&self) -> Variant {
        self.plain("true", &self.command(PROGRAM))
    }

    pub(super) fn run(&self) -> Variant {
        self.plain("coffer run", &self.coffer_run(&[PROGRAM]))
    }

    pub(super) fn run_with(&self, name: &'static str, options: &[&str]) -> Variant {
        self.plain(name, &self.coffer_run_with(options, &[PROGRAM]))
    }

    /// The printed command line from `bwrap` on, without `coffer exec-launch` before it. Public text goes in by
    /// descriptors, as there; the control socket is left out, as for a command line that somebody pasted. What
    /// `exec-launch` mounts itself is left out, too: the held places of the project, and an `/etc` of chosen files, for
    /// which the host's stands in.
    pub(super) fn by_hand(&self) -> Result<Variant, Error> {
        // The first run makes the state folder that the command line binds.
        rounds::time(&self.run())?;
        let mut dry = self.command(&self.coffer);
        dry.arg("run").args(OPTIONS).args(["--dry-run=command", "--", PROGRAM]);
        let failed =
            |stderr: String| Error::Failed { command: "coffer run --dry-run=command".to_owned(), stderr };
        let output = dry.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let line = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = from_bwrap(&line).ok_or_else(|| failed(format!("not understood: {line}")))?;
        let folder = self.folder.path().to_owned();
        let command = move || {
            let mut inherited = Vec::new();
            let mut argv: Vec<OsString> = Vec::new();
            for word in &words {
                argv.push(match word {
                    Word::Plain(text) => text.into(),
                    Word::Data(text) => {
                        let file = readable(&folder, text)?;
                        let number = file.as_raw_fd().to_string();
                        inherited.push(file);
                        number.into()
                    }
                });
            }
            let mut command = Command::new(&argv[0]);
            // `coffer run` starts bubblewrap with an empty environment.
            command.args(&argv[1..]).env_clear();
            Ok(Ready { command, inherited })
        };
        Ok(Variant { name: "bwrap by hand", command: Box::new(command) })
    }

    /// A variant that needs nothing but its words and its environment.
    pub(super) fn plain(&self, name: &'static str, command: &Command) -> Variant {
        let words: Vec<OsString> =
            std::iter::once(command.get_program()).chain(command.get_args()).map(OsString::from).collect();
        let set = command.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into())));
        let (environment, project): (Vec<(OsString, OsString)>, _) = (set.collect(), self.project());
        let command = move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).env_clear().envs(environment.iter().cloned()).current_dir(&project);
            Ok(Ready { command, inherited: Vec::new() })
        };
        Variant { name, command: Box::new(command) }
    }
}

/// The folders in a folder, without the hidden ones.
fn folders(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let visible = entries.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    Ok(visible.map(std::fs::DirEntry::path).filter(|path| path.is_dir()).collect())
}

/// A file with this text that a child inherits.
fn readable(folder: &Path, text: &str) -> std::io::Result<File> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file)
}

/// What a run makes of `/etc`; by hand it is the machine's own.
const MADE_ETC: &str = "@ref:run:etc";

/// A word of the printed command line.
#[derive(Debug, PartialEq)]
enum Word {
    Plain(String),
    /// The number of a descriptor with this text.
    Data(String),
}

/// The words of a printed command line from the backend's program on; none when there is something in it that
/// only `coffer exec-launch` can resolve.
fn from_bwrap(line: &str) -> Option<Vec<Word>> {
    let words = shlex::split(line.trim())?;
    let at = words.iter().position(|word| Path::new(word).file_name().is_some_and(|name| name == "bwrap"))?;
    let mut found = Vec::new();
    let mut words = words.into_iter().skip(at);
    while let Some(word) = words.next() {
        if word == "--control-fd" {
            words.next();
        } else if word == "--verify-mount" {
            let mount = Word::Plain(words.next()?);
            if found.contains(&mount) {
                found.extend([Word::Plain(word), mount]);
            }
        } else if word == MADE_ETC {
            found.push(Word::Plain("/etc".to_owned()));
        } else if let Some(text) = word.strip_prefix("@data:") {
            found.push(Word::Data(text.replace("\\n", "\n")));
        } else if let Some(text) = word.strip_prefix("@text:") {
            found.push(Word::Plain(text.to_owned()));
        } else if word.starts_with('@') {
            return None;
        } else {
            found.push(Word::Plain(word));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{Word, from_bwrap};

    fn plain(text: &str) -> Word {
        Word::Plain(text.to_owned())
    }

    #[test]
    fn the_hand_made_command_begins_at_bwrap_and_needs_no_control_socket() {
        let line = "coffer exec-launch --own 'a b' -- /usr/bin/bwrap --ro-bind-data '@data:a\\nb' /f \
                    --bind '/tmp/it'\\''s' /p --ro-bind '@ref:run:etc' /etc -- /init --control-fd '@control' --verify 1:2:/p -- true\n";
        let words = from_bwrap(line).expect("it has a bwrap");
        let mut expected =
            vec![plain("/usr/bin/bwrap"), plain("--ro-bind-data"), Word::Data("a\nb".to_owned())];
        let rest = "/f --bind /tmp/it's /p --ro-bind /etc /etc -- /init --verify 1:2:/p -- true";
        expected.extend(rest.split(' ').map(plain));
        assert_eq!(words, expected);
    }

    #[test]
    fn what_is_mounted_before_bubblewrap_is_left_out() {
        let line = "bwrap --ro-bind '@ref:run:etc' /etc --bind /p /p -- /init --verify-mount /p/.envrc --verify-mount /p \
                    -- true";
        let expected = "bwrap --ro-bind /etc /etc --bind /p /p -- /init --verify-mount /p -- true";
        assert_eq!(from_bwrap(line), Some(expected.split(' ').map(plain).collect()));
    }

    #[test]
    fn what_only_coffer_can_resolve_cannot_be_done_by_hand() {
        assert_eq!(from_bwrap("coffer exec-launch -- bwrap --setenv KEY '@ref:env:KEY' -- true"), None);
        assert_eq!(from_bwrap("podman run"), None);
    }
}
