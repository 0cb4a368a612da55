//! A renewed login until every one of many live runs has it in its lease. The runs are real: a `coffer run` each,
//! with its own watcher; a lease counts when the new token stands in the file that the sandbox sees.

use std::io::{BufRead as _, BufReader, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::rounds::median;
use super::sandbox::Sandbox;
use crate::error::Error;

/// So many runs live at once.
pub(super) const RUNS: usize = 100;
const ROUNDS: u32 = 30;
/// Longer than any round takes: who is not there by then never will be.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// A token of the practice that lives for the whole measurement.
const LIFE: Duration = Duration::from_secs(8 * 3600);

/// What was seen, in milliseconds from the renamed login file on.
#[derive(Debug)]
pub(super) struct Publishing {
    /// Until the last run had it: the median of the rounds.
    pub(super) last_ms: f64,
    /// The same in the worst round.
    pub(super) worst_ms: f64,
}

pub(super) fn measure(coffer: &Path) -> Result<Publishing, Error> {
    let sandbox = Sandbox::new(coffer)?;
    let folder = sandbox.home().join(".claude");
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|source| Error::Write { path: folder.clone(), source })?;
    let login = Login { file: folder.join(".credentials.json") };
    login.put(0)?;
    let mut runs = Runs::start(&sandbox)?;
    let leases = Leases::of(sandbox.leases()?)?;
    if leases.files.len() != RUNS {
        return Err(failed(format!("{} leases of {RUNS} runs", leases.files.len())));
    }
    let mut took = Vec::new();
    for round in 1..=ROUNDS {
        let started = login.put(round)?;
        leases.wait_for(&token(round))?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    runs.end()?;
    Ok(Publishing { last_ms: median(&took), worst_ms: took.iter().copied().fold(0.0, f64::max) })
}

/// The host's login file.
struct Login {
    file: PathBuf,
}

impl Login {
    /// Puts the login of a round in its place as the client does it; the instant before the rename.
    fn put(&self, round: u32) -> Result<Instant, Error> {
        let cannot = |source| Error::Write { path: self.file.clone(), source };
        let new = self.file.with_extension("new");
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + LIFE;
        let oauth = serde_json::json!({"claudeAiOauth": {
            "accessToken": token(round), "refreshToken": format!("sk-ant-ort01-FAKE-{round}"),
            "expiresAt": u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
            "scopes": ["user:inference", "user:profile"], "subscriptionType": "max"}});
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(cannot)?;
        file.write_all(oauth.to_string().as_bytes()).map_err(cannot)?;
        let started = Instant::now();
        std::fs::rename(&new, &self.file).map_err(cannot)?;
        Ok(started)
    }
}

fn token(round: u32) -> String {
    format!("sk-ant-oat01-FAKE-round-{round}.")
}

/// The leases of all runs, seen from the host. One watch for all of them: the kernel gives a user few.
struct Leases {
    watch: OwnedFd,
    files: Vec<PathBuf>,
}

impl Leases {
    fn of(files: Vec<PathBuf>) -> Result<Self, Error> {
        let cannot = |errno: Errno| failed(format!("cannot watch the leases: {errno}"));
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(cannot)?;
        for folder in files.iter().filter_map(|file| file.parent()) {
            inotify::add_watch(&watch, folder, WatchFlags::MOVED_TO).map_err(cannot)?;
        }
        Ok(Self { watch, files })
    }

    /// Waits until this token stands in all of them.
    fn wait_for(&self, token: &str) -> Result<(), Error> {
        let has = |file: &&PathBuf| std::fs::read_to_string(file).is_ok_and(|text| text.contains(token));
        let mut open: Vec<&PathBuf> = self.files.iter().collect();
        loop {
            self.drain();
            // Read after the events were taken, so that no change falls in between.
            open.retain(|file| !has(file));
            if open.is_empty() {
                return Ok(());
            }
            let mut fds = [PollFd::new(&self.watch, PollFlags::IN)];
            if poll(&mut fds, Some(&PATIENCE)).map_err(|errno| failed(errno.to_string()))? == 0 {
                return Err(failed(format!("{} runs never had the new token", open.len())));
            }
        }
    }

    fn drain(&self) {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&self.watch, &mut buffer);
        while reader.next().is_ok() {}
    }
}

/// Runs that wait for the end of their input; ended when dropped.
struct Runs(Vec<Child>);

impl Runs {
    fn start(sandbox: &Sandbox) -> Result<Self, Error> {
        // The first makes what the others share.
        let mut runs = Self(Vec::new());
        for _ in 0..RUNS {
            let mut command = sandbox.coffer_run(&["/bin/sh", "-c", "echo ready; exec cat"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command
                .spawn()
                .map_err(|source| Error::Start { command: "coffer run".to_owned(), source })?;
            runs.0.push(child);
            if runs.0.len() == 1 {
                runs.await_ready(0)?;
            }
        }
        for at in 1..RUNS {
            runs.await_ready(at)?;
        }
        Ok(runs)
    }

    fn await_ready(&mut self, at: usize) -> Result<(), Error> {
        let mut line = String::new();
        if let Some(output) = self.0.get_mut(at).and_then(|run| run.stdout.as_mut()) {
            BufReader::new(output).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
        }
        if line == "ready\n" { Ok(()) } else { Err(failed("a run did not start".to_owned())) }
    }

    fn end(&mut self) -> Result<(), Error> {
        for run in &mut self.0 {
            drop(run.stdin.take());
        }
        for run in self.0.drain(..) {
            let output = run.wait_with_output().map_err(|error| failed(error.to_string()))?;
            if !output.status.success() {
                return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
        }
        Ok(())
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        for run in &mut self.0 {
            drop(run.stdin.take());
            // It ends by the end of its input, too.
            let _ = run.wait();
        }
    }
}

fn failed(stderr: String) -> Error {
    Error::Failed { command: format!("publishing to {RUNS} runs"), stderr }
}
