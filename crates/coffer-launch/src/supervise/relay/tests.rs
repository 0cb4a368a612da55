//! Whatever the pace of the two sides, every byte comes out once and in order, and no buffer grows.

use super::{Buffer, CAPACITY, Moved};
use proptest::prelude::*;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

fn pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    for end in [&read, &write] {
        fcntl_setfl(end, fcntl_getfl(end).unwrap() | OFlags::NONBLOCK).unwrap();
    }
    (read, write)
}

fn write(into: impl AsFd, bytes: &[u8]) -> usize {
    match rustix::io::write(into, bytes) {
        Ok(written) => written,
        Err(Errno::AGAIN) => 0,
        Err(errno) => panic!("{errno}"),
    }
}

fn read(from: impl AsFd, limit: usize) -> Vec<u8> {
    let mut chunk = vec![0; limit];
    let read = match rustix::io::read(from, &mut chunk) {
        Ok(read) => read,
        Err(Errno::AGAIN) => 0,
        Err(errno) => panic!("{errno}"),
    };
    chunk.truncate(read);
    chunk
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Writes(usize),
    Fills,
    Drains(usize),
    Reads(usize),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        (1..100_000_usize).prop_map(Turn::Writes),
        Just(Turn::Fills),
        (1..CAPACITY + 1).prop_map(Turn::Drains),
        (1..100_000_usize).prop_map(Turn::Reads),
    ]
}

proptest! {
    #[test]
    fn every_byte_comes_out_once_and_in_order(turns in proptest::collection::vec(turn(), 1..60)) {
        let (from, source) = pipe();
        let (sink, into) = pipe();
        let mut buffer = Buffer::new();
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        for turn in turns {
            match turn {
                Turn::Writes(size) => {
                    let bytes: Vec<u8> = (sent.len()..sent.len() + size).map(|n| (n % 251) as u8).collect();
                    let written = write(&source, &bytes);
                    sent.extend_from_slice(&bytes[..written]);
                }
                Turn::Fills => {
                    buffer.fill(&from).unwrap();
                }
                Turn::Drains(limit) => {
                    let moved = buffer.drain(&into, limit).unwrap();
                    prop_assert!(matches!(moved, Moved::Bytes(bytes) if bytes <= limit));
                }
                Turn::Reads(limit) => seen.extend(read(&sink, limit)),
            }
            prop_assert_eq!(buffer.bytes.len(), CAPACITY);
        }
        drop(source);
        loop {
            let ended = buffer.fill(&from).unwrap() == Moved::Gone;
            buffer.drain(&into, CAPACITY).unwrap();
            seen.extend(read(&sink, CAPACITY));
            if ended && buffer.is_empty() {
                break;
            }
        }
        drop(into);
        while let rest @ [_, ..] = read(&sink, CAPACITY).as_slice() {
            seen.extend_from_slice(rest);
        }
        prop_assert!(seen == sent, "{} bytes of {}", seen.len(), sent.len());
    }
}

#[test]
fn a_full_buffer_takes_nothing_more() {
    let (from, source) = pipe();
    let mut buffer = Buffer::new();
    while buffer.has_room() {
        assert!(write(&source, &[7; 4096]) > 0);
        buffer.fill(&from).unwrap();
    }
    write(&source, &[8]);
    assert_eq!(buffer.fill(&from).unwrap(), Moved::Bytes(0));
    assert_eq!(read(&from, 2).last(), Some(&8));
}

#[test]
fn a_reader_that_is_gone_is_noticed() {
    let (sink, into) = pipe();
    let (from, source) = pipe();
    let mut buffer = Buffer::new();
    write(&source, b"words");
    buffer.fill(&from).unwrap();
    drop(sink);
    assert_eq!(buffer.drain(&into, CAPACITY).unwrap(), Moved::Gone);
}
