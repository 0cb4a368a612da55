//! `coffer-init look [--leave PATH]… [-- COMMAND…]`: starts the command inside and, when it is told so, sends out
//! everything that can be seen there. It does not know what is looked for: it would be found here otherwise.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufWriter, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine as _;

use crate::INIT_NAME;

use super::frames::{Message, Writer};
use super::{MARK, Place, Sink, files, processes};

/// The first word after the program's name.
pub(crate) const VERB: &str = "look";
/// What it is told on its standard input, a line each.
pub(crate) const GO: &str = "go";
pub(crate) const LOOK: &str = "look";
pub(crate) const END: &str = "end";
/// Folders that are left out, and why.
pub(crate) const LEAVE: &str = "--leave";
/// It only waits, with the mark in its memory, until its standard input ends.
const HOLD: &str = "--hold";
/// The file in which the mark lies, in base64.
const MARK_FILE: &str = "/tmp/coffer-leaktest-mark";

const FAILED: u8 = 1;

type Out = Arc<Mutex<Writer<BufWriter<io::Stdout>>>>;

/// Does it; the exit code.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let mut leave = Vec::new();
    let mut words = words.into_iter();
    let mut command = Vec::new();
    while let Some(word) = words.next() {
        if word == HOLD {
            // Nothing comes: whoever holds the other end closes it.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            return 0;
        }
        if word == "--" {
            command.extend(words);
            break;
        }
        if word == LEAVE {
            leave.extend(words.next().map(PathBuf::from));
        }
    }
    let out: Out = Arc::new(Mutex::new(Writer::new(BufWriter::with_capacity(1 << 20, io::stdout()))));
    match serve(&out, &leave, &command) {
        Ok(()) => 0,
        Err(error) => {
            // It stands among what the run says; nobody can be told when nobody reads it.
            let _ = writeln!(io::stderr(), "cannot look around: {error}");
            FAILED
        }
    }
}

fn serve(out: &Out, leave: &[PathBuf], command: &[OsString]) -> io::Result<()> {
    let leave: Vec<(PathBuf, String)> =
        leave.iter().map(|path| (path.clone(), "a program, read-only from the host".to_owned())).collect();
    let mut holds = hold()?;
    say(out, &Message::Ready)?;
    let mut child = None;
    for line in io::stdin().lock().lines() {
        match line?.as_str() {
            GO => {
                mark(out)?;
                child = start(out, command)?;
            }
            LOOK => {
                let mut all = Through(out);
                processes::look(&processes::here(), std::process::id(), &mut all)?;
                files::everything(&leave, &mut all)?;
                say(out, &Message::Looked)?;
            }
            END => break,
            _ => {}
        }
    }
    if let Some(pid) = child {
        // It may have ended long ago.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    drop(holds.stdin.take());
    holds.wait().map(drop)
}

/// A process that has the mark in its memory as long as anything is looked for.
fn hold() -> io::Result<Child> {
    let mut held = Command::new(std::env::current_exe()?);
    held.arg0(INIT_NAME).args([VERB, HOLD]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

fn say(out: &Out, message: &Message) -> io::Result<()> {
    out.lock().unwrap_or_else(PoisonError::into_inner).say(message)
}

/// What is seen does not keep the command from printing meanwhile: each frame has its turn.
struct Through<'a>(&'a Out);

impl Sink for Through<'_> {
    fn begin(&mut self, place: &Place) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).begin(place)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes(bytes)
    }

    fn left_out(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).left_out(what, why)
    }
}

/// Leaves the mark where it has to be found: in a file, and in bytes between two sockets of this network.
fn mark(out: &Out) -> io::Result<()> {
    let Some(mark) = coffer_host::variable(MARK) else { return Ok(()) };
    let encoded = base64::engine::general_purpose::STANDARD.encode(&*mark);
    let left = std::fs::write(MARK_FILE, encoded).and_then(|()| {
        let there = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut here = TcpStream::connect(there.local_addr()?)?;
        let (mut other, _) = there.accept()?;
        here.write_all(&mark)?;
        here.shutdown(std::net::Shutdown::Write)?;
        other.read_to_end(&mut Vec::new()).map(drop)
    });
    match left {
        Ok(()) => Ok(()),
        Err(error) => {
            out.lock().unwrap_or_else(PoisonError::into_inner).left_out("the mark", &error.to_string())
        }
    }
}

/// Starts the command, if there is one, and passes on what it prints.
fn start(out: &Out, command: &[OsString]) -> io::Result<Option<rustix::process::Pid>> {
    let Some((program, arguments)) = command.split_first() else {
        say(out, &Message::Ended(None))?;
        return Ok(None);
    };
    let mut child = Command::new(program);
    child.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => {
            say(out, &Message::NotStarted(error.to_string()))?;
            return Ok(None);
        }
    };
    let pid = rustix::process::Pid::from_child(&child);
    let pipes: [(bool, Option<Box<dyn Read + Send>>); 2] = [
        (false, child.stdout.take().map(|pipe| Box::new(pipe) as _)),
        (true, child.stderr.take().map(|pipe| Box::new(pipe) as _)),
    ];
    for (error, pipe) in pipes {
        let out = Arc::clone(out);
        let pass = move || pass(&out, error, pipe);
        thread::Builder::new().name("output".to_owned()).spawn(pass)?;
    }
    say(out, &Message::Started)?;
    let out = Arc::clone(out);
    thread::Builder::new().name("command".to_owned()).spawn(move || await_end(&out, child))?;
    Ok(Some(pid))
}

fn pass(out: &Out, error: bool, pipe: Option<Box<dyn Read + Send>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0_u8; 64 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens any more: the run ends.
        if out.output(error, buffer.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
}

fn await_end(out: &Out, mut child: Child) {
    let code = child.wait().ok().and_then(|status| status.code());
    // As above.
    let _ = say(out, &Message::Ended(code));
}
