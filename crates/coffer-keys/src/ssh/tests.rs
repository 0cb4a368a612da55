use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};
use std::sync::Mutex;

use proptest::prelude::*;
use ssh_encoding::Encode;

use super::{MAX_FRAME, Request, answer, fingerprint, identities, read_frame, talk, write_frame};
use crate::serve::{Outside, Used, Verdict};

const GRANTED: &[u8] = b"a granted key";
const OTHER: &[u8] = b"another key";

fn granted() -> BTreeSet<String> {
    BTreeSet::from([fingerprint(GRANTED)])
}

fn sign(blob: &[u8]) -> Vec<u8> {
    let mut out = vec![13];
    blob.encode(&mut out).unwrap();
    b"data".as_slice().encode(&mut out).unwrap();
    0_u32.encode(&mut out).unwrap();
    out
}

fn bind(name: &[u8], forwarding: u8) -> Vec<u8> {
    let mut out = vec![27];
    for part in [name, b"host key", b"session", b"signature"] {
        part.encode(&mut out).unwrap();
    }
    out.push(forwarding);
    out
}

fn keys(blobs: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![12];
    u32::try_from(blobs.len()).unwrap().encode(&mut out).unwrap();
    for blob in blobs {
        blob.encode(&mut out).unwrap();
        b"comment".as_slice().encode(&mut out).unwrap();
    }
    out
}

/// One side of a connection: what comes, and what was written.
struct Wire {
    comes: Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Wire {
    fn of(frames: &[Vec<u8>]) -> Self {
        let mut comes = Vec::new();
        for frame in frames {
            write_frame(&mut comes, frame).unwrap();
        }
        Self { comes: Cursor::new(comes), written: Vec::new() }
    }

    fn frames(&self) -> Vec<Vec<u8>> {
        let (mut from, mut out) = (self.written.as_slice(), Vec::new());
        while let Some(frame) = read_frame(&mut from).unwrap() {
            out.push(frame);
        }
        out
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.comes.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An agent that says yes to everything, and what it was asked.
#[derive(Default)]
struct Agent<'a> {
    asked: Option<&'a Mutex<Vec<Vec<u8>>>>,
    request: Vec<u8>,
    answer: Cursor<Vec<u8>>,
}

impl Read for Agent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answer.read(buffer)
    }
}

impl Write for Agent<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.request.extend_from_slice(buffer);
        let mut from = self.request.as_slice();
        if let Ok(Some(frame)) = read_frame(&mut from) {
            let answer = match frame[0] {
                11 => keys(&[GRANTED, OTHER]),
                13 => vec![14, 0, 0, 0, 0],
                _ => vec![6],
            };
            self.request.clear();
            let mut answered = Vec::new();
            write_frame(&mut answered, &answer)?;
            self.answer = Cursor::new(answered);
            self.asked.unwrap().lock().unwrap().push(frame);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The outside of a filter, which agrees or not.
struct World {
    asked: Mutex<Vec<Vec<u8>>>,
    used: Mutex<Vec<Used>>,
    agrees: bool,
}

impl World {
    fn new(agrees: bool) -> Self {
        Self { asked: Mutex::default(), used: Mutex::default(), agrees }
    }

    fn talk(&self, wire: &mut Wire) -> io::Result<()> {
        let keys = BTreeMap::from([(fingerprint(GRANTED), "granted".to_owned())]);
        talk(wire, &Borrowed(self), &keys)
    }

    fn verdicts(&self) -> Vec<(&'static str, Verdict)> {
        self.used.lock().unwrap().iter().map(|used| (used.what, used.verdict)).collect()
    }
}

struct Borrowed<'a>(&'a World);

impl<'a> Outside for Borrowed<'a> {
    type Agent = Agent<'a>;

    fn connect(&self) -> io::Result<Agent<'a>> {
        Ok(Agent { asked: Some(&self.0.asked), ..Agent::default() })
    }

    fn agrees(&self, _: &str, _: &str) -> bool {
        self.0.agrees
    }

    fn used(&self, used: &Used) {
        self.0.used.lock().unwrap().push(used.clone());
    }
}

#[test]
fn the_list_has_granted_keys_alone() {
    let world = World::new(true);
    let mut wire = Wire::of(&[vec![11]]);
    world.talk(&mut wire).unwrap();
    let listed = identities(&wire.frames()[0]).unwrap();
    assert_eq!(listed.iter().map(|key| key.blob.as_slice()).collect::<Vec<_>>(), [GRANTED]);
    assert_eq!(world.verdicts(), [("list", Verdict::Allowed)]);
}

#[test]
fn a_granted_key_signs_and_another_is_never_asked_for() {
    let world = World::new(true);
    let mut wire = Wire::of(&[sign(GRANTED), sign(OTHER)]);
    world.talk(&mut wire).unwrap();
    assert_eq!(wire.frames().iter().map(|frame| frame[0]).collect::<Vec<_>>(), [14, 5]);
    assert_eq!(*world.asked.lock().unwrap(), [sign(GRANTED)]);
    assert_eq!(world.verdicts(), [("sign", Verdict::Allowed), ("sign", Verdict::Denied)]);
    let used = world.used.lock().unwrap();
    assert_eq!(used[1].key, Some(fingerprint(OTHER)));
}

#[test]
fn a_person_who_says_no_is_heard() {
    let world = World::new(false);
    let mut wire = Wire::of(&[sign(GRANTED), vec![11]]);
    world.talk(&mut wire).unwrap();
    assert_eq!(wire.frames().iter().map(|frame| frame[0]).collect::<Vec<_>>(), [5, 12]);
    assert_eq!(*world.asked.lock().unwrap(), [vec![11]]);
}

/// Adding, removing, locking, smart cards, other extensions; and what is almost allowed.
#[test]
fn everything_else_is_refused_here() {
    let mut requests: Vec<Vec<u8>> =
        (0..=255).filter(|kind| ![11, 13, 27].contains(kind)).map(|kind| vec![kind]).collect();
    requests.extend([vec![11, 0], [sign(GRANTED), vec![0]].concat(), sign(GRANTED)[..12].to_vec()]);
    requests.extend([bind(b"query", 0), bind(b"session-bind@openssh.com", 2), vec![27]]);
    let world = World::new(true);
    let mut wire = Wire::of(&requests);
    world.talk(&mut wire).unwrap();
    assert!(wire.frames().iter().all(|frame| frame == &[5]));
    assert_eq!(wire.frames().len(), requests.len());
    assert!(world.asked.lock().unwrap().is_empty());
}

/// Keys that are restricted to servers work by it; it narrows what may be done on its connection.
#[test]
fn a_connection_can_be_tied_to_a_session() {
    let world = World::new(true);
    let message = bind(b"session-bind@openssh.com", 1);
    let mut wire = Wire::of(std::slice::from_ref(&message));
    world.talk(&mut wire).unwrap();
    assert_eq!(wire.frames(), [vec![6]]);
    assert_eq!(*world.asked.lock().unwrap(), [message]);
}

#[test]
fn frames_have_bounds() {
    for length in [0, MAX_FRAME + 1, u32::MAX as usize] {
        let mut from = Cursor::new(u32::try_from(length).unwrap().to_be_bytes().to_vec());
        assert_eq!(read_frame(&mut from).unwrap_err().kind(), io::ErrorKind::InvalidData, "{length}");
    }
    assert_eq!(
        read_frame(&mut Cursor::new(vec![0, 0, 0, 9, 1])).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    assert_eq!(read_frame(&mut Cursor::new(vec![0, 0])).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert!(read_frame(&mut Cursor::new(Vec::new())).unwrap().is_none());
    // A long frame that never comes takes no room.
    let mut claimed = u32::try_from(MAX_FRAME).unwrap().to_be_bytes().to_vec();
    claimed.push(11);
    assert!(read_frame(&mut Cursor::new(claimed)).is_err());
    assert!(write_frame(&mut Vec::new(), &vec![0; MAX_FRAME + 1]).is_err());
}

/// An agent that answers something else than was asked is not passed on.
#[test]
fn an_answer_fits_its_request() {
    let request = Request::read(&sign(GRANTED), &granted());
    for said in [&[5][..], &[6], &[12, 0, 0, 0, 0], &[]] {
        assert_eq!(answer(&request, said, &granted()), None);
    }
    assert_eq!(answer(&Request::List, &[12, 255, 255, 255, 255], &granted()), None);
    assert_eq!(answer(&Request::List, &[14], &granted()), None);
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let anything = prop::collection::vec(any::<u8>(), 1..200);
    let near = (
        prop::sample::select(vec![
            sign(GRANTED),
            sign(OTHER),
            bind(b"session-bind@openssh.com", 0),
            vec![11],
        ]),
        any::<prop::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(mut message, at, byte)| {
            let at = at.index(message.len());
            message[at] = byte;
            message
        });
    prop_oneof![anything, near]
}

proptest! {
    /// Whatever a sandbox says, the agent hears of nothing but a list, a signature by a granted key, or a session.
    #[test]
    fn nothing_else_ever_reaches_the_agent(requests in prop::collection::vec(request(), 1..20), rest in prop::collection::vec(any::<u8>(), 0..20)) {
        let world = World::new(true);
        let mut wire = Wire::of(&requests);
        wire.comes.get_mut().extend_from_slice(&rest);
        // It may end in a broken frame.
        let _ = world.talk(&mut wire);
        for asked in world.asked.lock().unwrap().iter() {
            let allowed = match asked[0] {
                11 => asked.len() == 1,
                13 => asked[5..].starts_with(GRANTED) && asked[1..5] == u32::try_from(GRANTED.len()).unwrap().to_be_bytes(),
                27 => asked[5..].starts_with(b"session-bind@openssh.com"),
                _ => false,
            };
            prop_assert!(allowed, "{:?}", asked);
        }
        for frame in wire.frames() {
            prop_assert!([5, 6, 12, 14].contains(&frame[0]));
            if frame[0] == 12 {
                prop_assert!(identities(&frame).unwrap().iter().all(|key| key.blob == GRANTED));
            }
        }
    }

    /// What is forwarded reads as the same request again: what was judged is what the agent reads.
    #[test]
    fn what_is_forwarded_was_judged(message in request()) {
        let request = Request::read(&message, &granted());
        if let Some(forwarded) = request.forwarded() {
            prop_assert_eq!(&Request::read(forwarded, &granted()), &request);
            prop_assert_eq!(forwarded, message.as_slice());
        }
    }
}
