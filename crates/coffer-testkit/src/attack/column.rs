//! One way to start the probe, and what came of it: a column of the table.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use coffer_sys::{descriptors, process};
use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::scene::Scene;
use super::{Attack, Brief, Line, Verdict, attacks};

/// How long all attacks together may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program that is the probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its path.
    pub program: PathBuf,
    /// What it is called as.
    pub called: &'static str,
    /// What stands before the probe's own words.
    pub words: &'static [&'static str],
}

impl Probe {
    /// A command that starts it where it is.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(self.called).args(self.words);
        command
    }
}

/// What came of the attacks in one way to start the probe.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// A line of each attack, by name.
    pub lines: BTreeMap<String, Line>,
}

impl Column {
    /// Starts the probe by `command` (the brief becomes its last word) on a stage, from a terminal and with descriptors
    /// left open, and takes what it says together with what the host sees then.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or ends badly; with what was said.
    pub fn attacked(
        name: &str,
        scene: &mut Scene,
        command: impl FnOnce(&Brief) -> Command,
    ) -> io::Result<Self> {
        let (terminal, path) = terminal()?;
        let user = open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let about = fstat(&user)?;
        scene.brief.terminal = Some((about.st_dev, about.st_rdev));
        scene.brief.terminal_path = Some(path);
        let open = left_open(&scene.brief)?;
        scene.brief.descriptors = open.iter().map(|descriptor| descriptor.as_raw_fd()).collect();

        let mut command = command(&scene.brief);
        command.stdin(user.try_clone()?).stderr(user.try_clone()?).stdout(Stdio::piped());
        process::new_session(&mut command, Some(0));
        descriptors::inherit(&mut command, open);
        let mut child = command.spawn()?;
        // What stays open here would keep the terminal from ending.
        drop((command, user));
        let said = collect(std::fs::File::from(terminal));
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let text = collect(output).recv_timeout(PATIENCE);
        if text.is_err() {
            // It may have ended by itself just now.
            let _ = child.kill();
        }
        let status = child.wait()?;
        let said = String::from_utf8_lossy(&said.recv_timeout(PATIENCE).unwrap_or_default()).into_owned();
        let text = text.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("{name}: {said}")))?;
        if !status.success() {
            return Err(io::Error::other(format!("{name}: {status}: {said}")));
        }
        Self::read(name, &text, &scene.brief)
    }

    fn read(name: &str, text: &[u8], brief: &Brief) -> io::Result<Self> {
        let mut lines = BTreeMap::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line = serde_json::from_slice(line)?;
            lines.insert(line.name.clone(), line);
        }
        if let Some(missing) = attacks().find(|attack| !lines.contains_key(attack.name)) {
            return Err(io::Error::other(format!("{name}: nothing was said of `{}`", missing.name)));
        }
        let mut column = Self { name: name.to_owned(), lines };
        column.look(brief);
        Ok(column)
    }

    /// What the host sees counts for more than what was said inside.
    pub fn look(&mut self, brief: &Brief) {
        for attack in attacks() {
            if let Some(line) = self.lines.get_mut(attack.name) {
                seen(attack, line, brief);
            }
        }
    }

    /// What came of an attack.
    #[must_use]
    pub fn verdict(&self, attack: &Attack) -> Verdict {
        self.lines.get(attack.name).map_or(Verdict::Untried, |line| line.verdict)
    }
}

fn seen(attack: &Attack, line: &mut Line, brief: &Brief) {
    let Some(path) = attack.trace(brief) else { return };
    let there = left(&path, attack, brief);
    match (line.verdict, there) {
        (Verdict::Allowed, false) => {
            line.verdict = Verdict::Private;
            line.detail = "the host sees nothing of it".to_owned();
        }
        (Verdict::Blocked | Verdict::Private | Verdict::Untried, true) => {
            line.verdict = Verdict::Allowed;
            line.detail = "the host sees it".to_owned();
        }
        (Verdict::Allowed, true) | (Verdict::Blocked | Verdict::Private | Verdict::Untried, false) => {}
    }
}

/// Whether the attack left its mark there, or let somebody write there at all.
fn left(path: &Path, attack: &Attack, brief: &Brief) -> bool {
    let text = fs::read(path).unwrap_or_default();
    let mark = brief.mark(attack.name).into_bytes();
    let led = path.starts_with(brief.stage.join(super::scene::LED));
    (led && !text.is_empty()) || text.windows(mark.len()).any(|window| window == mark)
}

/// A terminal of the user's: its master's side, and its path.
fn terminal() -> io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    Ok((master, PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()))))
}

/// A canary file, the home folder and a connection.
fn left_open(brief: &Brief) -> io::Result<Vec<OwnedFd>> {
    let file = fs::File::open(brief.home.join(".netrc"))?;
    let folder = fs::File::open(&brief.home)?;
    let (socket, other) = UnixStream::pair()?;
    // A closed other end is a connection all the same.
    drop(other);
    Ok(vec![file.into(), folder.into(), socket.into()])
}

/// Everything that comes, until it ends: a terminal ends with an error.
fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        // What came before the end counts.
        let _ = from.read_to_end(&mut text);
        // Nobody waits any more when it took too long.
        let _ = tell.send(text);
    });
    told
}
