//! Lines on a connection, none longer than the protocol allows.

use std::io::{self, Read, Write};

use super::MAX_LINE;

/// A connection that is read and written by lines.
pub(super) struct Lines<C> {
    stream: C,
    /// What was read and is no line yet.
    rest: Vec<u8>,
}

impl<C: Read + Write> Lines<C> {
    pub(super) fn new(stream: C) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// The next line, without its end; `None` when there is none to come.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return if line.len() <= MAX_LINE { Ok(Some(line)) } else { Err(too_long()) };
            }
            if self.rest.len() > MAX_LINE + 1 {
                return Err(too_long());
            }
            let mut chunk = [0; 1024];
            match self.stream.read(&mut chunk) {
                // Half a line is none.
                Ok(0) => return Ok(None),
                Ok(count) => self.rest.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        self.stream.write_all(&whole)
    }

    /// Data, in as many lines as it takes.
    pub(super) fn send_data(&mut self, data: &[u8]) -> io::Result<()> {
        // Three bytes each at most.
        for part in data.chunks((MAX_LINE - 2) / 3) {
            let mut line = b"D ".to_vec();
            for byte in part {
                match byte {
                    b'%' | b'\r' | b'\n' => line.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                    plain => line.push(*plain),
                }
            }
            self.send(&line)?;
        }
        Ok(())
    }
}

fn too_long() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
