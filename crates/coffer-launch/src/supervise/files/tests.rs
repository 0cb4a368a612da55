//! Every byte is carried once and in order whatever the pace, and nothing is waited for that would not come.

use super::{Files, Input, Output};
use crate::supervise::SuperviseError;
use proptest::prelude::*;
use rustix::event::{PollFd, Timespec, poll};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|number| (number % 251) as u8).collect()
}

fn reads(file: &File) -> (Files, File) {
    let (input, end) = Input::of(file.as_fd()).unwrap();
    (Files { input: Some(input), ..Files::default() }, end.into())
}

fn writes(file: &File) -> (Files, OwnedFd) {
    let (output, end) = Output::of(1, file.as_fd()).unwrap();
    (Files { outputs: vec![output], ..Files::default() }, end)
}

/// How many of the descriptors that are waited for say that something can be carried.
fn ready(files: &Files) -> usize {
    let mut fds: Vec<PollFd<'_>> = files.interests().collect();
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap()
}

#[test]
fn nothing_is_ready_when_nothing_can_be_carried() {
    let (mut files, mut agent) = reads(&file(&content(1_000_000)));
    let mut rounds = 0;
    while ready(&files) > 0 {
        files.carry();
        rounds += 1;
        assert!(rounds < 100, "the pipe never fills");
    }
    assert!(agent.read(&mut vec![0; 65536]).unwrap() > 0);
    assert_eq!(ready(&files), 1);
    // An ended file is not waited for, and the agent sees its end.
    let (mut files, mut agent) = reads(&file(b"x"));
    files.carry();
    files.carry();
    assert_eq!(files.interests().count(), 0);
    let mut all = Vec::new();
    agent.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"x");
    // Output is waited for while somebody can write it.
    let (mut files, agent) = writes(&file(b""));
    assert_eq!((files.interests().count(), ready(&files)), (1, 0));
    drop(agent);
    files.carry();
    assert_eq!(files.interests().count(), 0);
}

#[test]
fn a_file_that_fails_is_left_alone_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let unreadable = File::create(folder.path().join("f")).unwrap();
    let (mut files, mut agent) = reads(&unreadable);
    files.carry();
    assert_eq!(files.interests().count(), 0);
    assert_eq!(agent.read(&mut [0]).unwrap(), 0);
    assert!(matches!(files.take_failure(), Some(SuperviseError::Input { number: 0, .. })));
    let unwritable = File::open(folder.path().join("f")).unwrap();
    let (mut files, agent) = writes(&unwritable);
    rustix::io::write(&agent, b"lost").unwrap();
    files.carry();
    assert_eq!(files.interests().count(), 0);
    assert_eq!(rustix::io::write(&agent, b"x"), Err(rustix::io::Errno::PIPE));
    assert!(matches!(files.take_failure(), Some(SuperviseError::Output { number: 1, .. })));
}

proptest! {
    #[test]
    fn what_the_agent_has_not_read_is_given_back(
        length in 0_usize..300_000,
        start in 0_usize..1000,
        turns in proptest::collection::vec((0_usize..5, 0_usize..100_000), 0..12),
    ) {
        let bytes = content(length);
        let mut shared = file(&bytes);
        shared.seek(SeekFrom::Start(start.min(length) as u64)).unwrap();
        let (mut files, mut agent) = reads(&shared);
        let mut seen = Vec::new();
        for (carries, reads) in turns {
            for _ in 0..carries {
                files.carry();
            }
            let mut chunk = vec![0; reads];
            if rustix::io::ioctl_fionread(&agent).unwrap() > 0 {
                let read = agent.read(&mut chunk).unwrap();
                seen.extend_from_slice(&chunk[..read]);
            }
        }
        drop(files);
        shared.read_to_end(&mut seen).unwrap();
        prop_assert!(seen == bytes[start.min(length)..], "{} bytes of {length}", seen.len());
    }

    #[test]
    fn what_the_agent_writes_is_in_the_file(
        turns in proptest::collection::vec((1_usize..60_000, 0_usize..3), 0..20),
    ) {
        let mut shared = file(b"");
        let (mut files, agent) = writes(&shared);
        rustix::fs::fcntl_setfl(&agent, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut sent = Vec::new();
        for (length, carries) in turns {
            let bytes: Vec<u8> = (sent.len()..sent.len() + length).map(|n| (n % 251) as u8).collect();
            let written = rustix::io::write(&agent, &bytes).unwrap_or(0);
            sent.extend_from_slice(&bytes[..written]);
            for _ in 0..carries {
                files.carry();
            }
        }
        // Somebody outside still holds a writing end.
        files.finish();
        shared.rewind().unwrap();
        let mut came = Vec::new();
        shared.read_to_end(&mut came).unwrap();
        prop_assert!(came == sent, "{} bytes of {}", came.len(), sent.len());
        prop_assert!(files.take_failure().is_none());
    }
}
