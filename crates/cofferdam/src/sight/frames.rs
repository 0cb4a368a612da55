//! What is seen inside, on its way out: frames on a pipe. Each is a letter, a length and so many bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::{Place, Sink};

/// Largest frame that is taken, in bytes: what is inside may send anything.
const LARGEST: usize = 4 * 1024 * 1024;

/// What the program inside says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// It is there.
    Ready,
    /// The command has been started.
    Started,
    /// The command could not be started.
    NotStarted(String),
    /// The command has ended: its exit code, if it had one.
    Ended(Option<i32>),
    /// It has looked at everything.
    Looked,
    /// The next bytes are from here.
    Place(Place),
    /// This was not looked at.
    LeftOut {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Words.
    Message(Message),
    /// Bytes of the place that was said.
    Bytes(Vec<u8>),
    /// What the command printed: on standard output, or on standard error.
    Output {
        /// Whether it is standard error.
        error: bool,
        /// What.
        bytes: Vec<u8>,
    },
}

const MESSAGE: u8 = b'm';
const BYTES: u8 = b'b';
const OUTPUT: u8 = b'o';
const ERRORS: u8 = b'e';

/// Writes frames.
pub(crate) struct Writer<W>(W);

impl<W: Write> Writer<W> {
    pub(crate) fn new(to: W) -> Self {
        Self(to)
    }

    /// Says something, at once.
    pub(crate) fn say(&mut self, message: &Message) -> io::Result<()> {
        self.frame(MESSAGE, &serde_json::to_vec(message)?)?;
        self.0.flush()
    }

    /// Passes on what the command printed.
    pub(crate) fn output(&mut self, error: bool, bytes: &[u8]) -> io::Result<()> {
        self.frame(if error { ERRORS } else { OUTPUT }, bytes)?;
        self.0.flush()
    }

    fn frame(&mut self, letter: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.0.write_all(&[letter])?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(bytes)
    }
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, place: &Place) -> io::Result<()> {
        self.frame(MESSAGE, &serde_json::to_vec(&Message::Place(place.clone()))?)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame(BYTES, bytes)
    }

    fn left_out(&mut self, what: &str, why: &str) -> io::Result<()> {
        let message = Message::LeftOut { what: what.to_owned(), why: why.to_owned() };
        self.frame(MESSAGE, &serde_json::to_vec(&message)?)
    }
}

/// The next frame; `None` at the end.
pub(crate) fn next(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut letter = [0];
    match from.read_exact(&mut letter) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Some(match letter {
        [MESSAGE] => Frame::Message(serde_json::from_slice(&bytes)?),
        [BYTES] => Frame::Bytes(bytes),
        [OUTPUT] => Frame::Output { error: false, bytes },
        [ERRORS] => Frame::Output { error: true, bytes },
        _ => return Err(io::ErrorKind::InvalidData.into()),
    }))
}
