//! Files among 0–2, behind pipes.
//!
//! The agent could open a file's descriptor anew and with more rights: rewrite the prompt that it was given to read,
//! read the log that it was given to append to. It gets a pipe, which leads to us and nowhere else.
//!
//! *Input* is read ahead of the agent, into a pipe and a buffer of 64 KiB. What the agent has not taken when
//! everything inside is dead is given back: the file's offset is where the agent stopped reading, and whoever
//! shares the open file (the next command of a script) goes on from there. The file's end is the pipe's; what is
//! appended to it later is not seen. *Output* is written through the open file that we were given, so offset and
//! `O_APPEND` are as the user's shell set them. If 1 and 2 are the same file they share a pipe, and the order is kept.

use super::SuperviseError;
use super::stdio::{Stdio, Way};
use coffer_sys::descriptors::share_open_file;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, SeekFrom, fcntl_getfl, fcntl_setfl, fstat, seek};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionread};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How much is carried at once.
const CHUNK: usize = 64 * 1024;

/// The agent's ends of the pipes, by standard descriptor.
pub(crate) type Ends = [Option<OwnedFd>; 3];

/// What is carried for the agent. Dropped after everything inside is dead.
#[derive(Debug, Default)]
pub(crate) struct Files {
    input: Option<Input>,
    outputs: Vec<Output>,
    /// The first failure; the run goes on without that file, and is told at the end that it could not be trusted.
    failed: Option<SuperviseError>,
}

impl Files {
    /// Pipes for those of 0–2 that are files, and the ends that the agent shall get.
    pub(crate) fn of(stdio: &Stdio) -> io::Result<(Self, Ends)> {
        let relayed = stdio.those(Way::Relayed);
        let is_relayed = |number| relayed.contains(number);
        let mut files = Self::default();
        let mut ends = [None, None, None];
        let [input_end, output_end, errors_end] = &mut ends;
        if is_relayed(0) {
            let (input, end) = Input::of(stdio.descriptor(0))?;
            files.input = Some(input);
            *input_end = Some(end);
        }
        if is_relayed(1) {
            let (output, end) = Output::of(1, stdio.descriptor(1))?;
            files.outputs.push(output);
            *output_end = Some(end);
        }
        if is_relayed(2) {
            let shared = output_end.as_ref().filter(|_| {
                // Where the kernel does not say, two descriptors are taken for two files.
                are_one_file(stdio.descriptor(1), stdio.descriptor(2)).unwrap_or(false)
            });
            *errors_end = Some(if let Some(end) = shared {
                fcntl_dupfd_cloexec(end, 3)?
            } else {
                let (output, end) = Output::of(2, stdio.descriptor(2))?;
                files.outputs.push(output);
                end
            });
        }
        Ok((files, ends))
    }

    /// What to wait for before the next [`Files::carry`].
    pub(crate) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let writer = self.input.as_ref().and_then(|input| input.writer.as_ref());
        let readers = self.outputs.iter().filter_map(|output| output.reader.as_ref());
        let to_read = readers.map(|reader| PollFd::new(reader, PollFlags::IN));
        writer.map(|writer| PollFd::new(writer, PollFlags::OUT)).into_iter().chain(to_read)
    }

    /// Carries what can be carried now, at most one chunk each.
    pub(crate) fn carry(&mut self) {
        if let Some(input) = &mut self.input
            && let Err(source) = input.carry()
        {
            input.writer = None;
            self.failed.get_or_insert(SuperviseError::Input { number: 0, source });
        }
        for output in &mut self.outputs {
            if let Err(source) = output.carry() {
                // The agent's next write fails, as a write to the file itself would have.
                output.reader = None;
                self.failed.get_or_insert(SuperviseError::Output { number: output.number, source });
            }
        }
    }

    /// Everything inside is dead: takes what is left in the pipes. Not until their end: somebody outside may have
    /// been handed a writing end.
    pub(crate) fn finish(&mut self) {
        for output in &mut self.outputs {
            loop {
                match output.carry() {
                    Ok(Carried::Something) => {}
                    Ok(Carried::Nothing) => break,
                    Err(source) => {
                        self.failed.get_or_insert(SuperviseError::Output { number: output.number, source });
                        break;
                    }
                }
            }
            output.reader = None;
        }
    }

    /// The first failure.
    pub(crate) fn take_failure(&mut self) -> Option<SuperviseError> {
        self.failed.take()
    }
}

/// Whether what is written to the two has an order: one open file, or one file to which both append.
fn are_one_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    if share_open_file(one, other).unwrap_or(false) {
        return Ok(true);
    }
    let (stat, other_stat) = (fstat(one)?, fstat(other)?);
    let is_same = (stat.st_dev, stat.st_ino) == (other_stat.st_dev, other_stat.st_ino);
    let appends = fcntl_getfl(one)? & fcntl_getfl(other)?;
    Ok(is_same && appends.contains(OFlags::APPEND))
}

/// A file that the agent reads.
#[derive(Debug)]
struct Input {
    /// The user's open file, whose offset others may share.
    file: OwnedFd,
    /// `None` once the file has ended.
    writer: Option<OwnedFd>,
    /// Never read here: it tells what the agent has left, and keeps an agent that closes its input from being our
    /// error.
    reader: OwnedFd,
    chunk: Vec<u8>,
    waiting: std::ops::Range<usize>,
    /// How much has come from the file.
    taken: u64,
}

impl Input {
    fn of(file: BorrowedFd<'_>) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&writer, fcntl_getfl(&writer)? | OFlags::NONBLOCK)?;
        let input = Self {
            file: fcntl_dupfd_cloexec(file, 3)?,
            writer: Some(writer),
            reader: fcntl_dupfd_cloexec(&reader, 3)?,
            chunk: vec![0; CHUNK],
            waiting: 0..0,
            taken: 0,
        };
        Ok((input, reader))
    }

    fn carry(&mut self) -> io::Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        if self.waiting.is_empty() {
            let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.file, &mut self.chunk[..]))?;
            if read == 0 {
                self.writer = None;
                return Ok(());
            }
            self.waiting = 0..read;
            self.taken += read as u64;
        }
        let waiting = self.chunk.get(self.waiting.clone()).unwrap_or_default();
        match rustix::io::write(writer, waiting) {
            Ok(written) => self.waiting.start += written,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // The agent may have written into its own input: no more goes back than was taken.
        let left = self.waiting.len() as u64 + ioctl_fionread(&self.reader).unwrap_or(0);
        if let Ok(left) = i64::try_from(left.min(self.taken))
            && left > 0
        {
            // What has no offset cannot be given back, and has no end either.
            let _ = seek(&self.file, SeekFrom::Current(-left));
        }
    }
}

/// A file that the agent writes.
#[derive(Debug)]
struct Output {
    number: u8,
    /// The user's open file.
    file: OwnedFd,
    /// `None` once the agent has closed its end everywhere, or the file cannot be written.
    reader: Option<OwnedFd>,
    chunk: Vec<u8>,
}

/// What there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Something,
    Nothing,
}

impl Output {
    fn of(number: u8, file: BorrowedFd<'_>) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
        let file = fcntl_dupfd_cloexec(file, 3)?;
        Ok((Self { number, file, reader: Some(reader), chunk: vec![0; CHUNK] }, writer))
    }

    fn carry(&mut self) -> io::Result<Carried> {
        let Some(reader) = &self.reader else { return Ok(Carried::Nothing) };
        let read = match rustix::io::retry_on_intr(|| rustix::io::read(reader, &mut self.chunk[..])) {
            Ok(0) => {
                self.reader = None;
                return Ok(Carried::Nothing);
            }
            Ok(read) => read,
            Err(Errno::AGAIN) => return Ok(Carried::Nothing),
            Err(errno) => return Err(errno.into()),
        };
        write_all(self.file.as_fd(), self.chunk.get(..read).unwrap_or_default())?;
        Ok(Carried::Something)
    }
}

fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = bytes.get(written..).unwrap_or_default(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
