//! The host's part: bubblewrap around the whole machine, read-only, and the supervision under test.

use coffer_launch::supervise::{Ended, Stdio, control_pair, hold_signals, supervise};
use coffer_sys::descriptors::inherit;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio as Redirect};

/// The exit code when the agent ran and nobody learned how it ended.
pub(crate) const LOST: u8 = 200;

/// The exit code when supervising itself failed.
const SUPERVISION_FAILED: u8 = 201;

/// The exit code when a standard descriptor was refused before anything started.
pub(crate) const UNFIT: u8 = 202;

/// What init is called inside.
const INIT: &str = "/tmp/coffer-init";

/// Runs `COMMAND [ARG…]`; with `--bwrap OPTION` before it, bubblewrap gets that option as well, with
/// `--init OPTION` our init. With `--backend PROGRAM ARG…` that runs in the backend's place.
pub(crate) fn run(words: impl Iterator<Item = OsString>) -> u8 {
    let held = hold_signals().expect("signals can be blocked");
    let mut words = words.peekable();
    let mut options = Options::default();
    while let Some(kind) = words.next_if(|word| word == "--bwrap" || word == "--init") {
        let list = if kind == "--bwrap" { &mut options.backend } else { &mut options.init };
        list.extend(words.next());
    }
    let stdio = match Stdio::of_process() {
        Ok(stdio) => stdio,
        Err(error) => return failed(UNFIT, &error.to_string()),
    };
    let (host, init) = control_pair().expect("a socket pair");
    let mut child = {
        let mut backend = if words.next_if(|word| word == "--backend").is_some() {
            let mut backend = Command::new(words.next().expect("a program"));
            backend.args(words);
            backend
        } else {
            bubblewrap(&options, Some(init.as_raw_fd()), words)
        };
        backend.env_clear().process_group(0);
        backend.stdin(Redirect::null()).stdout(Redirect::null()).stderr(Redirect::piped());
        inherit(&mut backend, vec![init]);
        backend.spawn().expect("the backend starts")
    };
    let diagnostics = child.stderr.take().expect("a pipe").into();
    announce(&child);
    let ended = supervise(child, host, diagnostics, &stdio);
    drop(held);
    match ended {
        Ok(Ended::Exited(code)) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        Ok(Ended::Signaled(signal)) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Ok(Ended::ExecFailed { errno: 2 }) => 127,
        Ok(Ended::ExecFailed { .. }) => 126,
        Ok(Ended::SetupFailed { step, errno }) => failed(125, &format!("setup: {step:?}: {errno}")),
        Ok(Ended::Exchanged { index, errno }) => failed(125, &format!("exchanged: {index}: {errno:?}")),
        Ok(Ended::Unforeseen { found }) => failed(125, &format!("unforeseen: {found}")),
        Ok(Ended::BackendFailed { status, diagnostics }) => failed(125, &format!("{status}: {diagnostics}")),
        Ok(Ended::Lost { status, diagnostics }) => failed(LOST, &format!("{status}: {diagnostics}")),
        Err(error) => failed(SUPERVISION_FAILED, &format!("{error}")),
    }
}

/// More options than every sandbox here has.
#[derive(Default)]
pub(crate) struct Options {
    /// Bubblewrap's.
    pub(crate) backend: Vec<OsString>,
    /// Our init's.
    pub(crate) init: Vec<OsString>,
}

/// Bubblewrap with init and an agent in it; without a control descriptor as somebody types it by hand.
pub(crate) fn bubblewrap(
    options: &Options,
    control: Option<RawFd>,
    agent: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Command {
    let own = std::env::current_exe().expect("our own path");
    let mut bwrap = Command::new("bwrap");
    bwrap.args(sandbox(&own)).args(&options.backend).args(["--", INIT]);
    if let Some(control) = control {
        bwrap.args(["--control-fd", &control.to_string()]);
    }
    bwrap.args(&options.init).arg("--").args(agent);
    bwrap
}

fn sandbox(own: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(Into::into));
    add(&["--unshare-user", "--unshare-pid", "--unshare-ipc", "--uid", "1000", "--gid", "1000"]);
    add(&["--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"]);
    add(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]);
    for name in ["PATH", "TERM"] {
        let value = std::env::var(name).unwrap_or_default();
        add(&["--setenv", name, &value]);
    }
    add(&["--chdir", "/tmp", "--ro-bind"]);
    arguments.extend([own.into(), INIT.into()]);
    arguments
}

/// Tells a test that wants to kill the backend what its process id is.
fn announce(child: &Child) {
    if let Some(path) = std::env::var_os("BACKEND_PID_FILE") {
        std::fs::write(path, child.id().to_string()).expect("the file can be written");
    }
}

fn failed(code: u8, text: &str) -> u8 {
    let _ = writeln!(std::io::stderr(), "host: {text}");
    code
}
