//! What a person types unseen.
//!
//! The terminal's echo is off before the question stands there, so that nothing of an answer is shown however
//! soon it comes; and where the echo cannot be switched off, nothing is read. Ctrl-C ends the line instead of
//! the program meanwhile, so that no terminal is left without its echo.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// What Ctrl-C sends.
const CTRL_C: u8 = 3;
/// Longest line that a terminal gives.
const MAX_LINE: usize = 4096;

/// The terminal without echo; as it was when dropped.
struct Unseen {
    terminal: File,
    before: Termios,
}

impl Unseen {
    fn new() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
        quiet.local_modes.insert(LocalModes::ICANON);
        quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        let unseen = Self { terminal, before };
        tcsetattr(&unseen.terminal, OptionalActions::Flush, &quiet)?;
        // `tcsetattr` says yes when only a part of it was done.
        if tcgetattr(&unseen.terminal)?.local_modes.contains(LocalModes::ECHO) {
            return Err(io::Error::other("the terminal's echo cannot be switched off"));
        }
        Ok(unseen)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
        let _ = self.terminal.write_all(b"\n");
    }
}

/// One line from the terminal, without its end.
pub(crate) fn unseen(question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut unseen = Unseen::new()?;
    unseen.terminal.write_all(question.as_bytes())?;
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0]);
    while line.len() < MAX_LINE && unseen.terminal.read(&mut *byte)? == 1 && byte[0] != b'\n' {
        if byte[0] == CTRL_C {
            return Err(io::ErrorKind::Interrupted.into());
        }
        line.push(byte[0]);
    }
    Ok(line)
}
