//! Every message survives the wire; nothing else is taken for one.

use super::{Channel, FromInit, Message, Modes, Start, StdioSet, Step, ToInit, Window, WireError};
use proptest::prelude::*;
use std::os::fd::AsFd;

fn start() -> impl Strategy<Value = Start> {
    let modes = proptest::option::of((any::<[u32; 3]>(), any::<[u8; Modes::CODES]>()));
    (any::<[u8; 3]>(), any::<[u16; 4]>(), modes, any::<[bool; 3]>()).prop_map(
        |(kinds, size, modes, [foreground, environment, gateway])| {
            let of_kind =
                |kind| StdioSet::of((0..3).zip(kinds).filter(|(_, k)| k % 3 == kind).map(|(n, _)| n));
            Start {
                passed: of_kind(0),
                terminal: of_kind(1),
                window: Window { rows: size[0], columns: size[1], width: size[2], height: size[3] },
                modes: modes.map(|([input, output, local], codes)| Modes { input, output, local, codes }),
                foreground,
                environment,
                gateway,
            }
        },
    )
}

fn to_init() -> impl Strategy<Value = ToInit> {
    prop_oneof![
        start().prop_map(ToInit::Start),
        any::<i32>().prop_map(ToInit::Signal),
        any::<bool>().prop_map(|foreground| ToInit::Continue { foreground }),
    ]
}

fn from_init() -> impl Strategy<Value = FromInit> {
    let step = prop_oneof![
        Just(Step::NullDevice),
        Just(Step::OpenTerminal),
        Just(Step::PrepareTerminal),
        Just(Step::Session),
        Just(Step::Fork),
        Just(Step::Wait),
        Just(Step::Keyring),
        Just(Step::Walls),
    ];
    prop_oneof![
        any::<u16>().prop_map(|version| FromInit::Hello { version }),
        Just(FromInit::Pty),
        any::<i32>().prop_map(|pid| FromInit::Started { pid }),
        any::<i32>().prop_map(|errno| FromInit::ExecFailed { errno }),
        (step, any::<i32>()).prop_map(|(step, errno)| FromInit::SetupFailed { step, errno }),
        any::<i32>().prop_map(|signal| FromInit::Stopped { signal }),
        Just(FromInit::Continued),
        any::<i32>().prop_map(|code| FromInit::Exited { code }),
        any::<i32>().prop_map(|signal| FromInit::Signaled { signal }),
        any::<(u32, i32)>().prop_map(|(index, errno)| FromInit::Exchanged { index, errno }),
        any::<(u32, u32)>().prop_map(|(memory, pids)| FromInit::Hits { memory, pids }),
        Just(FromInit::Unforeseen),
        Just(FromInit::Heard),
    ]
}

proptest! {
    #[test]
    fn a_message_to_init_survives_and_its_parts_do_not_pass(message in to_init()) {
        let bytes = message.encode();
        prop_assert_eq!(ToInit::decode(&bytes), Ok(message));
        prop_assert_eq!(ToInit::decode(&bytes[..bytes.len() - 1]), Err(WireError::WrongLength));
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(ToInit::decode(&longer), Err(WireError::WrongLength));
    }

    #[test]
    fn a_message_from_init_survives_and_its_parts_do_not_pass(message in from_init()) {
        let bytes = message.encode();
        prop_assert_eq!(FromInit::decode(&bytes), Ok(message));
        prop_assert_eq!(FromInit::decode(&bytes[..bytes.len() - 1]), Err(WireError::WrongLength));
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(FromInit::decode(&longer), Err(WireError::WrongLength));
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(message) = ToInit::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Ok(message) = FromInit::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}

#[test]
fn an_unknown_tag_is_an_error() {
    assert_eq!(ToInit::decode(&[0]), Err(WireError::UnknownTag(0)));
    assert_eq!(ToInit::decode(&[77, 1]), Err(WireError::UnknownTag(77)));
    assert_eq!(FromInit::decode(&[200]), Err(WireError::UnknownTag(200)));
    assert_eq!(FromInit::decode(&[]), Err(WireError::WrongLength));
}

#[test]
fn a_descriptor_cannot_be_passed_and_be_the_terminal() {
    let both = Start {
        passed: StdioSet::of([1]),
        terminal: StdioSet::of([1]),
        window: Window::default(),
        modes: None,
        foreground: false,
        environment: false,
        gateway: false,
    };
    assert_eq!(ToInit::decode(&ToInit::Start(both).encode()), Err(WireError::BadField("terminal")));
}

#[test]
fn descriptors_arrive_in_order_and_close_on_exec() {
    let (host, init) = Channel::pair().unwrap();
    let (read, write) = std::io::pipe().unwrap();
    host.send(&ToInit::Signal(15), &[write.as_fd(), read.as_fd()]).unwrap();
    drop((read, write));
    let received = init.receive::<ToInit>().unwrap().unwrap();
    assert_eq!(received.message, ToInit::Signal(15));
    let [write, read] = <[_; 2]>::try_from(received.descriptors).unwrap();
    for descriptor in [&write, &read] {
        let flags = rustix::io::fcntl_getfd(descriptor).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
    rustix::io::write(&write, b"x").unwrap();
    let mut byte = [0_u8];
    assert_eq!(rustix::io::read(&read, &mut byte).unwrap(), 1);
    assert_eq!(byte, *b"x");
}

#[test]
fn the_end_of_one_side_is_seen_by_the_other_even_with_something_unread() {
    let (host, init) = Channel::pair().unwrap();
    host.send(&ToInit::Signal(1), &[]).unwrap();
    drop(init);
    assert!(host.receive::<FromInit>().unwrap().is_none());
    assert!(host.send(&ToInit::Signal(1), &[]).is_err());
}

#[test]
fn last_words_are_heard_though_the_other_side_left_something_unread() {
    let (host, init) = Channel::pair().unwrap();
    init.send(&FromInit::Exited { code: 3 }, &[]).unwrap();
    host.send(&ToInit::Continue { foreground: true }, &[]).unwrap();
    drop(init);
    let last = host.receive::<FromInit>().unwrap().unwrap();
    assert_eq!(last.message, FromInit::Exited { code: 3 });
    assert!(host.receive::<FromInit>().unwrap().is_none());
}

#[test]
fn a_foreign_datagram_is_an_error_not_a_message() {
    let (host, init) = Channel::pair().unwrap();
    rustix::net::send(&host, &[9; 300], rustix::net::SendFlags::empty()).unwrap();
    assert_eq!(init.receive::<ToInit>().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    rustix::net::send(&host, &[99], rustix::net::SendFlags::empty()).unwrap();
    assert_eq!(init.receive::<ToInit>().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn only_a_seqpacket_socket_is_a_control_socket() {
    let (read, _write) = std::io::pipe().unwrap();
    assert!(Channel::from_descriptor(read.into()).is_err());
    let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    assert!(Channel::from_descriptor(stream.into()).is_err());
}

#[test]
fn the_kernel_names_the_sender_when_asked() {
    let (host, init) = Channel::pair().unwrap();
    init.send(&FromInit::Continued, &[]).unwrap();
    assert_eq!(host.receive::<FromInit>().unwrap().unwrap().sender, None);
    host.identify_senders().unwrap();
    init.send(&FromInit::Continued, &[]).unwrap();
    assert_eq!(host.receive::<FromInit>().unwrap().unwrap().sender, Some(rustix::process::getpid()));
}
