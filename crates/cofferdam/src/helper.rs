//! An account's helper program: run on the host, its output is the key.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use coffer_launch::run::SecretBytes;
use zeroize::Zeroizing;

#[cfg(test)]
mod tests;

/// How long a helper may take; it may have to ask a person.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest key, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelperError {
    /// It could not be started.
    #[error("cannot start it: {0}")]
    Start(io::Error),
    /// Its output could not be read, or its end not waited for.
    #[error("cannot read what it prints: {0}")]
    Read(io::Error),
    /// It took too long.
    #[error("it took longer than {} s", PATIENCE.as_secs())]
    TooSlow,
    /// It failed.
    #[error("it failed ({0})")]
    Failed(std::process::ExitStatus),
    /// It printed nothing.
    #[error("it printed nothing")]
    Nothing,
    /// It printed more than a key.
    #[error("it printed more than one line, or more than {MAX_BYTES} bytes")]
    TooMuch,
}

/// Runs the program with the user's own environment, without input; what it says on stderr goes to the user.
pub(crate) fn run(program: &Utf8Path, arguments: &[String]) -> Result<SecretBytes, HelperError> {
    run_within(program, arguments, PATIENCE)
}

fn run_within(
    program: &Utf8Path,
    arguments: &[String],
    patience: Duration,
) -> Result<SecretBytes, HelperError> {
    let mut child = Command::new(program)
        .args(arguments)
        // In the project an agent could lay something in its way.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(HelperError::Start)?;
    let read = printed(&mut child, patience);
    if read.is_err() {
        // It may wait for somebody to take its output.
        drop(child.kill());
    }
    let status = child.wait().map_err(HelperError::Read)?;
    let printed = read?;
    if !status.success() {
        return Err(HelperError::Failed(status));
    }
    let key = printed.trim_ascii();
    match key {
        [] => Err(HelperError::Nothing),
        key if key.iter().any(|byte| byte.is_ascii_control()) => Err(HelperError::TooMuch),
        key => Ok(SecretBytes::from(key.to_vec())),
    }
}

/// Everything that the child prints until it closes its output.
fn printed(child: &mut Child, patience: Duration) -> Result<Zeroizing<Vec<u8>>, HelperError> {
    let Some(mut output) = child.stdout.take() else { return Err(HelperError::Nothing) };
    let (done, waits) = channel();
    thread::spawn(move || {
        // Its size never grows, so no copy of the key stays behind in freed memory.
        let mut bytes = Zeroizing::new(vec![0; MAX_BYTES + 1]);
        let mut filled = 0;
        let read = loop {
            if filled == bytes.len() {
                break Ok(());
            }
            match output.read(&mut bytes[filled..]) {
                Ok(0) => break Ok(()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        bytes.truncate(filled);
        // Nobody waits any more when it took too long.
        drop(done.send(read.map(|()| bytes)));
    });
    match waits.recv_timeout(patience) {
        Ok(Ok(bytes)) if bytes.len() > MAX_BYTES => Err(HelperError::TooMuch),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(HelperError::Read(error)),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(HelperError::TooSlow),
    }
}
