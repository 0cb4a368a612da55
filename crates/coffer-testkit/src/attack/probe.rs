//! The probe. `PROBE BRIEF` makes all attacks; what does more than open something has a process of its own: an attack
//! that hangs, or is killed, takes nobody along. One line of JSON each goes to standard output: `{"name":…,"verdict":…,"detail":…}`.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::brief::{Brief, Process};
use super::scene::CANARY_VARIABLE;
use super::{Attack, Line, Outcome, attacks, deeds};

/// The word by which a program that does other things, too, becomes the probe.
pub const VERB: &str = "attack";
/// Makes one attack only, in this process.
const ONE: &str = "--one";
/// Is the other process: holds canaries, says where, and waits until its standard input ends.
pub const VICTIM: &str = "--victim";
/// How long an attack may take.
const PATIENCE: Duration = Duration::from_secs(10);
const WELL: u8 = 0;
const USAGE: u8 = 2;

/// Does what the words say; the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let done = match words.as_slice() {
        [VICTIM, file] => hold(file),
        [brief] => parsed(brief).and_then(|brief| all(&brief)),
        [brief, ONE, name] => parsed(brief).and_then(|brief| one(name, &brief)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    match done {
        Ok(()) => WELL,
        Err(error) => {
            // Nobody can be told when nobody reads it.
            let _ = writeln!(io::stderr(), "cannot attack: {error}");
            USAGE
        }
    }
}

fn parsed(brief: &str) -> io::Result<Brief> {
    Ok(serde_json::from_str(brief)?)
}

fn all(brief: &Brief) -> io::Result<()> {
    let mut out = io::stdout();
    for attack in attacks() {
        let line =
            if attack.only_opens() { in_a_thread(attack, brief) } else { in_a_process(attack, brief)? };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        out.write_all(&text)?;
        out.flush()?;
    }
    Ok(())
}

/// It may wait for ever, and goes with us then.
fn in_a_thread(attack: &'static Attack, brief: &Brief) -> Line {
    let (tell, told) = mpsc::channel();
    let brief = brief.clone();
    thread::spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = tell.send(deeds::make(attack, &brief));
    });
    let outcome = told.recv_timeout(PATIENCE);
    outcome.unwrap_or_else(|_| Outcome::Refused(too_slow())).line(attack.name)
}

fn too_slow() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}

/// Whatever happens to the process says something about the attack.
fn in_a_process(attack: &Attack, brief: &Brief) -> io::Result<Line> {
    let mut command = Command::new("/proc/self/exe");
    let mut own = std::env::args_os();
    command.arg0(own.next().unwrap_or_default());
    // What stands before the brief made us the probe.
    command.args(own.take_while(|word| word == VERB));
    command.arg(serde_json::to_string(brief)?).args([ONE, attack.name]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let Some(mut output) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.read_to_end(&mut text);
        // Nobody waits any more when it took too long.
        let _ = tell.send(read.map(|_| text));
    });
    let text = told.recv_timeout(PATIENCE);
    let slow = text.is_err();
    if slow {
        // It may have ended by itself just now.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let said = text.ok().and_then(Result::ok).and_then(|text| serde_json::from_slice(&text).ok());
    Ok(said.unwrap_or_else(|| Outcome::Refused(ended(status, slow)).line(attack.name)))
}

fn ended(status: ExitStatus, slow: bool) -> String {
    match status.signal() {
        _ if slow => too_slow(),
        Some(signal) => format!("ended by signal {signal}"),
        None => "ended without an answer".to_owned(),
    }
}

fn one(name: &str, brief: &Brief) -> io::Result<()> {
    let attack = attacks().find(|attack| attack.name == name).ok_or(io::ErrorKind::NotFound)?;
    let line = deeds::make(attack, brief).line(name);
    io::stdout().write_all(&serde_json::to_vec(&line)?)
}

/// The other process: its environment has the canary already.
fn hold(file: &str) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // Where a module of the kernel lets nobody else trace: the attack has to be possible on the host.
    let _ = rustix::process::set_ptracer(rustix::process::PTracer::Any);
    let open = std::fs::File::open(file)?;
    let canary = std::env::var(CANARY_VARIABLE).unwrap_or_default().into_bytes();
    let process = Process {
        pid: rustix::process::getpid().as_raw_pid(),
        address: canary.as_ptr().addr(),
        descriptor: open.as_raw_fd(),
    };
    let mut out = io::stdout();
    serde_json::to_writer(&mut out, &process)?;
    out.write_all(b"\n")?;
    out.flush()?;
    // Nothing comes: whoever started us closes it.
    let _ = io::stdin().read(&mut [0]);
    drop(canary);
    Ok(())
}

/// A signal that changes nothing, to somebody who has to be there.
pub(super) fn wave(pid: i32) -> io::Result<()> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
    Ok(kill_process(pid, Signal::WINCH)?)
}
