//! Gateways of real runs: one whose API door is on this machine's loopback, and one that is a sandbox's only way out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::bench::sandbox::Sandbox;
use crate::error::Error;

/// The credential that the gateway has: as long as a real one.
const KEY: &str = "sk-ant-api03-FAKE-key-that-the-gateway-puts-into-each-request-as-it-goes-out-0123456789";

/// A run that waits for commands.
pub(super) struct Live {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Live {
    /// Starts a run with a shell inside.
    pub(super) fn start(sandbox: &Sandbox, flags: &[&str], upstream: SocketAddr) -> Result<Self, Error> {
        let mut command = sandbox.command(sandbox.coffer());
        command.args(["run", "--yes", "--audit", "never"]).args(flags).args(["--", "/bin/sh"]);
        command.env("ANTHROPIC_API_KEY", KEY).env("ANTHROPIC_BASE_URL", format!("http://{upstream}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = command.spawn();
        let mut child =
            started.map_err(|source| Error::Start { command: "coffer run".to_owned(), source })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no pipes"));
        };
        Ok(Self { child, input: Some(input), output: BufReader::new(output) })
    }

    /// Runs a line inside and returns the line that it prints.
    pub(super) fn says(&mut self, line: &str) -> Result<String, Error> {
        let input = self.input.as_mut().ok_or_else(|| failed("it has ended"))?;
        writeln!(input, "{line}").map_err(|error| failed(&error.to_string()))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|error| failed(&error.to_string()))?;
        let answer = answer.trim_end();
        if answer.is_empty() { Err(failed("it says nothing")) } else { Ok(answer.to_owned()) }
    }

    /// The pid of the gateway.
    pub(super) fn gateway(&self) -> Result<u32, Error> {
        let pid = self.child.id();
        let children = read(Path::new(&format!("/proc/{pid}/task/{pid}/children")))?;
        let is_gateway = |pid: &&str| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).any(|word| word == b"gateway-of-run")
        };
        let found = children.split_whitespace().find(is_gateway).and_then(|pid| pid.parse().ok());
        found.ok_or_else(|| failed("it has no gateway"))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The API door of a run.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    /// What the sandbox shows.
    pub(super) word: String,
}

/// The door of a run that has the host's network.
pub(super) fn door(live: &mut Live) -> Result<Door, Error> {
    let said = live.says("echo \"$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN\"")?;
    let read = said.split_once(' ').and_then(|(url, word)| {
        Some(Door { address: url.strip_prefix("http://")?.parse().ok()?, word: word.to_owned() })
    });
    read.ok_or_else(|| failed("its door is not understood"))
}

/// Memory of a process in MiB.
pub(super) fn resident_mib(pid: u32) -> Result<f64, Error> {
    let status = read(Path::new(&format!("/proc/{pid}/status")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<f64> = line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| failed("its memory is not known"))
}

/// How many descriptors a process has.
pub(super) fn descriptors(pid: u32) -> Result<usize, Error> {
    let folder = std::path::PathBuf::from(format!("/proc/{pid}/fd"));
    let entries = std::fs::read_dir(&folder).map_err(|source| Error::Read { path: folder, source })?;
    Ok(entries.count())
}

/// Bytes per second that `curl` gets from an address in so many seconds, directly or by a tunnel.
pub(super) fn fetch_words(url: &str, seconds: u32, proxy: Option<&str>) -> String {
    let by = proxy.map(|proxy| format!("--proxytunnel --proxy http://{proxy} ")).unwrap_or_default();
    format!(
        "curl --silent --noproxy '' {by}--max-time {seconds} --output /dev/null --write-out '%{{speed_download}}\\n' {url}"
    )
}

/// The same on this machine.
pub(super) fn fetch_here(url: &str, seconds: u32) -> Result<f64, Error> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(fetch_words(url, seconds, None)).stdin(Stdio::null());
    let output = command.output().map_err(|source| Error::Start { command: "curl".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text.parse().map_err(|_| failed(&format!("curl says `{text}`")))
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn failed(stderr: &str) -> Error {
    Error::Failed { command: "a run with a gateway".to_owned(), stderr: stderr.to_owned() }
}
