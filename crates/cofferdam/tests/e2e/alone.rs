//! `coffer gateway` alone: the genuine CLI outside of any sandbox of ours, signed in by a token; who is turned away, and
//! what ends with a token.

mod clients;
mod ends;
mod places;
mod tokens;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ran, Stage, run, run_with_input};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway at work.
pub(crate) struct Gateway {
    child: Child,
    said: BufReader<ChildStderr>,
    /// Where it listens, in the order of `--listen`.
    places: Vec<String>,
}

impl Gateway {
    /// Started by this command; waits until it listens.
    #[track_caller]
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let Some(places) = line.trim_end().strip_prefix("listens on ") else {
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            panic!("{line}{rest}")
        };
        let places = places.split(", ").map(str::to_owned).collect();
        Self { child, said, places }
    }

    /// On a port of the loopback.
    fn on_a_port(stage: &Stage) -> Self {
        Self::of(stage.coffer(["gateway", "--listen", "127.0.0.1:0"]))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Its first place.
    fn place(&self) -> &str {
        &self.places[0]
    }

    fn connected(&self) -> Box<dyn Stream> {
        connected(self.place()).unwrap()
    }

    /// Says something, and returns everything that comes until the end.
    fn hears(&self, text: &str) -> String {
        let mut stream = self.connected();
        let _ = stream.write_all(text.as_bytes());
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Asks it to end.
    fn shall_end(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Ends it; what it has said since it began.
    #[track_caller]
    fn ends(self) -> String {
        self.shall_end();
        self.has_ended()
    }

    /// It comes to its end; what it has said since it began.
    #[track_caller]
    fn has_ended(mut self) -> String {
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client reads and writes.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection to a place as `--listen` has it; on it nothing takes forever.
fn connected(place: &str) -> std::io::Result<Box<dyn Stream>> {
    Ok(match place.strip_prefix("unix:") {
        Some(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
        None => {
            let stream = TcpStream::connect(place)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
    })
}

/// A token for an account, with these flags; its id and its word.
#[track_caller]
fn token(stage: &Stage, account: &str, flags: &[&str]) -> (String, String) {
    let mut words = vec!["gateway", "token", "create", "--account", account];
    if !flags.contains(&"--ttl") {
        words.extend(["--ttl", "1h"]);
    }
    let ran = run(stage.coffer(words).args(flags));
    let word = ran.ends_with(0).text().trim_end().to_owned();
    ran.keeps_out_of_stderr(&word);
    let id = ran.stderr.split('`').nth(1).unwrap().to_owned();
    assert!(word.starts_with("coffer-token-") && id.starts_with("tk-"), "{ran}");
    (id, word)
}

impl Ran {
    #[track_caller]
    fn keeps_out_of_stderr(&self, word: &str) {
        assert!(!self.stderr.contains(word), "{self}");
    }
}

/// An account with a key, whose API is at this address.
#[track_caller]
pub(crate) fn account_with_key(stage: &Stage, name: &str, key: &str, url: &str) {
    let mut command = stage.coffer(["account", "add", name, "--kind", "api-key", "--base-url", url]);
    run_with_input(&mut command, key.as_bytes()).ends_with(0).keeps_secret(&[key]);
}

/// A request to the API with this token, and the end of the connection after it.
pub(crate) fn post(token: &str) -> String {
    format!(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    )
}

/// The beginning of a tunnel; the token is the password, whoever the user is.
fn connect(endpoint: &str, token: &str) -> String {
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("anybody:{token}"));
    format!("CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\nProxy-Authorization: Basic {basic}\r\n\r\n")
}

/// Reads the head of an answer.
#[track_caller]
fn head(stream: &mut dyn Stream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Files below a folder that hold these words.
fn files_with(folder: &Path, words: &str) -> Vec<String> {
    let found = run(Command::new("grep").args(["-rlF", "--", words]).arg(folder));
    found.text().lines().map(str::to_owned).collect()
}
