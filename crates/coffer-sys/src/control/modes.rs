//! Terminal modes as plain values.

use rustix::termios::{
    ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex, SpecialCodes, Termios,
};

/// The special characters of Linux' `n_tty`, in wire order.
const CODES: [SpecialCodeIndex; Modes::CODES] = [
    SpecialCodeIndex::VINTR,
    SpecialCodeIndex::VQUIT,
    SpecialCodeIndex::VERASE,
    SpecialCodeIndex::VKILL,
    SpecialCodeIndex::VEOF,
    SpecialCodeIndex::VTIME,
    SpecialCodeIndex::VMIN,
    SpecialCodeIndex::VSWTC,
    SpecialCodeIndex::VSTART,
    SpecialCodeIndex::VSTOP,
    SpecialCodeIndex::VSUSP,
    SpecialCodeIndex::VEOL,
    SpecialCodeIndex::VREPRINT,
    SpecialCodeIndex::VDISCARD,
    SpecialCodeIndex::VWERASE,
    SpecialCodeIndex::VLNEXT,
    SpecialCodeIndex::VEOL2,
];

/// What of a terminal's `termios` is copied to the private one. Not its speed and character size: they describe a
/// line, and a pseudo terminal has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    /// `c_iflag`.
    pub input: u32,
    /// `c_oflag`.
    pub output: u32,
    /// `c_lflag`.
    pub local: u32,
    /// Special characters in the order of `c_cc`.
    pub codes: [u8; Modes::CODES],
}

impl Modes {
    /// How many special characters there are.
    pub const CODES: usize = 17;

    /// The modes of a terminal.
    pub fn of(termios: &Termios) -> Self {
        Self {
            input: termios.input_modes.bits(),
            output: termios.output_modes.bits(),
            local: termios.local_modes.bits(),
            codes: CODES.map(|index| termios.special_codes[index]),
        }
    }

    /// Replaces the modes of `termios`, which keeps its control modes and speeds.
    pub fn apply(&self, termios: &mut Termios) {
        termios.input_modes = InputModes::from_bits_retain(self.input);
        termios.output_modes = OutputModes::from_bits_retain(self.output);
        termios.local_modes = LocalModes::from_bits_retain(self.local);
        let codes: &mut SpecialCodes = &mut termios.special_codes;
        for (index, value) in CODES.into_iter().zip(self.codes) {
            codes[index] = value;
        }
        // A terminal whose reader is off would read nothing for ever.
        termios.control_modes |= ControlModes::CREAD;
    }
}
