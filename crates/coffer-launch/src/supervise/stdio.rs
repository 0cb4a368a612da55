//! Our own 0, 1 and 2: which are terminals, and are replaced; which are not, and are handed through.

use coffer_sys::control::StdioSet;
use rustix::termios::isatty;
use std::os::fd::{AsFd, BorrowedFd};

/// What our standard descriptors are.
#[derive(Debug)]
pub struct Stdio {
    input: std::io::Stdin,
    output: std::io::Stdout,
    errors: std::io::Stderr,
    terminals: StdioSet,
}

impl Stdio {
    /// Looks at this process's own.
    pub fn of_process() -> Self {
        let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let is_terminal = [isatty(&input), isatty(&output), isatty(&errors)];
        let terminals = StdioSet::of((0..).zip(is_terminal).filter(|(_, is)| *is).map(|(number, _)| number));
        Self { input, output, errors, terminals }
    }

    /// Those that are terminals.
    pub fn terminals(&self) -> StdioSet {
        self.terminals
    }

    /// Those that are handed through.
    pub(crate) fn passed(&self) -> StdioSet {
        StdioSet::of((0..3).filter(|number| !self.terminals.contains(*number)))
    }

    /// One of the three.
    pub(crate) fn descriptor(&self, number: u8) -> BorrowedFd<'_> {
        match number {
            0 => self.input.as_fd(),
            1 => self.output.as_fd(),
            _ => self.errors.as_fd(),
        }
    }
}
