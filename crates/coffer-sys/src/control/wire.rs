//! Messages as bytes.

use super::{FromInit, Modes, Start, StdioSet, Step, ToInit, Window};
use std::fmt;

/// A datagram that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The first byte names no message.
    UnknownTag(u8),
    /// It ends too early, or goes on after its last field.
    WrongLength,
    /// A field holds a value that it cannot have.
    BadField(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTag(tag) => write!(f, "unknown message tag {tag}"),
            Self::WrongLength => f.write_str("message of a wrong length"),
            Self::BadField(name) => write!(f, "bad value in the field `{name}`"),
        }
    }
}

impl std::error::Error for WireError {}

/// Reads fields from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(WireError::WrongLength)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.take().map(u32::from_le_bytes)
    }

    fn i32(&mut self) -> Result<i32, WireError> {
        self.take().map(i32::from_le_bytes)
    }

    fn flag(&mut self, name: &'static str) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::BadField(name)),
        }
    }

    fn stdio(&mut self, name: &'static str) -> Result<StdioSet, WireError> {
        let bits = self.u8()?;
        if bits & !StdioSet::ALL == 0 { Ok(StdioSet(bits)) } else { Err(WireError::BadField(name)) }
    }

    fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::WrongLength) }
    }
}

/// A message of one direction.
pub trait Message: Sized {
    /// The datagram that says it.
    fn encode(&self) -> Vec<u8>;

    /// The message that a datagram says.
    ///
    /// # Errors
    /// [`WireError`] if it says none.
    fn decode(bytes: &[u8]) -> Result<Self, WireError>;
}

impl Message for ToInit {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Start(start) => encode_start(start),
            Self::Signal(signal) => tagged(2, &signal.to_le_bytes()),
            Self::Continue { foreground } => tagged(3, &[u8::from(*foreground)]),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields(bytes);
        let message = match fields.u8()? {
            1 => Self::Start(decode_start(&mut fields)?),
            2 => Self::Signal(fields.i32()?),
            3 => Self::Continue { foreground: fields.flag("foreground")? },
            tag => return Err(WireError::UnknownTag(tag)),
        };
        fields.end()?;
        Ok(message)
    }
}

impl Message for FromInit {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello { version } => tagged(1, &version.to_le_bytes()),
            Self::Pty => tagged(2, &[]),
            Self::Started { pid } => tagged(3, &pid.to_le_bytes()),
            Self::ExecFailed { errno } => tagged(4, &errno.to_le_bytes()),
            Self::SetupFailed { step, errno } => {
                let mut fields = vec![*step as u8];
                fields.extend(errno.to_le_bytes());
                tagged(5, &fields)
            }
            Self::Stopped { signal } => tagged(6, &signal.to_le_bytes()),
            Self::Continued => tagged(7, &[]),
            Self::Exited { code } => tagged(8, &code.to_le_bytes()),
            Self::Signaled { signal } => tagged(9, &signal.to_le_bytes()),
            Self::Exchanged { index, errno } => {
                tagged(10, &[index.to_le_bytes(), errno.to_le_bytes()].concat())
            }
            Self::Unforeseen => tagged(12, &[]),
            Self::Heard => tagged(13, &[]),
            Self::Hits { memory, pids } => tagged(11, &[memory.to_le_bytes(), pids.to_le_bytes()].concat()),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields(bytes);
        let message = match fields.u8()? {
            1 => Self::Hello { version: fields.u16()? },
            2 => Self::Pty,
            3 => Self::Started { pid: fields.i32()? },
            4 => Self::ExecFailed { errno: fields.i32()? },
            5 => Self::SetupFailed { step: decode_step(fields.u8()?)?, errno: fields.i32()? },
            6 => Self::Stopped { signal: fields.i32()? },
            7 => Self::Continued,
            8 => Self::Exited { code: fields.i32()? },
            9 => Self::Signaled { signal: fields.i32()? },
            11 => Self::Hits { memory: fields.u32()?, pids: fields.u32()? },
            10 => Self::Exchanged { index: fields.u32()?, errno: fields.i32()? },
            12 => Self::Unforeseen,
            13 => Self::Heard,
            tag => return Err(WireError::UnknownTag(tag)),
        };
        fields.end()?;
        Ok(message)
    }
}

fn tagged(tag: u8, fields: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + fields.len());
    bytes.push(tag);
    bytes.extend_from_slice(fields);
    bytes
}

fn encode_start(start: &Start) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend([1, start.passed.0, start.terminal.0]);
    bytes.extend([start.foreground, start.environment, start.gateway].map(u8::from));
    let Window { rows, columns, width, height } = start.window;
    for size in [rows, columns, width, height] {
        bytes.extend(size.to_le_bytes());
    }
    bytes.push(u8::from(start.modes.is_some()));
    if let Some(Modes { input, output, local, codes }) = &start.modes {
        for flags in [input, output, local] {
            bytes.extend(flags.to_le_bytes());
        }
        bytes.extend(codes);
    }
    bytes
}

fn decode_start(fields: &mut Fields<'_>) -> Result<Start, WireError> {
    let passed = fields.stdio("passed")?;
    let terminal = fields.stdio("terminal")?;
    if passed.0 & terminal.0 != 0 {
        return Err(WireError::BadField("terminal"));
    }
    let foreground = fields.flag("foreground")?;
    let environment = fields.flag("environment")?;
    let gateway = fields.flag("gateway")?;
    let window =
        Window { rows: fields.u16()?, columns: fields.u16()?, width: fields.u16()?, height: fields.u16()? };
    let modes = if fields.flag("modes")? {
        Some(Modes {
            input: fields.u32()?,
            output: fields.u32()?,
            local: fields.u32()?,
            codes: fields.take()?,
        })
    } else {
        None
    };
    Ok(Start { passed, terminal, window, modes, foreground, environment, gateway })
}

fn decode_step(byte: u8) -> Result<Step, WireError> {
    const STEPS: [Step; 10] = [
        Step::NullDevice,
        Step::OpenTerminal,
        Step::PrepareTerminal,
        Step::Session,
        Step::Fork,
        Step::Wait,
        Step::Keyring,
        Step::Listen,
        Step::Gateway,
        Step::Walls,
    ];
    STEPS.into_iter().find(|step| *step as u8 == byte).ok_or(WireError::BadField("step"))
}
