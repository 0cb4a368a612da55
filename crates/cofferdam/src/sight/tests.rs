use std::os::unix::fs::symlink;

use super::frames::{Frame, Message, Writer, next};
use super::{Kind, Place, Sink, files, processes};

/// Keeps what it is shown.
#[derive(Default)]
struct Kept {
    places: Vec<(Place, Vec<u8>)>,
    left_out: Vec<(String, String)>,
}

impl Sink for Kept {
    fn begin(&mut self, place: &Place) -> std::io::Result<()> {
        self.places.push((place.clone(), Vec::new()));
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.places.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn left_out(&mut self, what: &str, why: &str) -> std::io::Result<()> {
        self.left_out.push((what.to_owned(), why.to_owned()));
        Ok(())
    }
}

impl Kept {
    fn holds(&self, kind: Kind, text: &str) -> bool {
        let is_in = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.places.iter().any(|(place, bytes)| place.kind == kind && is_in(bytes))
    }
}

#[test]
fn frames_come_out_as_they_went_in() {
    let place =
        Place { kind: Kind::Memory, name: "[heap]".to_owned(), process: Some((7, "x".to_owned())), at: 4096 };
    let mut wire = Vec::new();
    let mut writer = Writer::new(&mut wire);
    writer.say(&Message::Ready).unwrap();
    writer.begin(&place).unwrap();
    writer.bytes(b"\0\n\xff").unwrap();
    writer.output(true, b"said").unwrap();
    writer.left_out("this", "that").unwrap();
    let mut wire = &wire[..];
    let frames: Vec<Frame> = std::iter::from_fn(|| next(&mut wire).unwrap()).collect();
    let left_out = Message::LeftOut { what: "this".to_owned(), why: "that".to_owned() };
    assert_eq!(
        frames,
        [
            Frame::Message(Message::Ready),
            Frame::Message(Message::Place(place)),
            Frame::Bytes(b"\0\n\xff".to_vec()),
            Frame::Output { error: true, bytes: b"said".to_vec() },
            Frame::Message(left_out),
        ]
    );
}

#[test]
fn frames_that_are_too_large_or_no_frames_are_refused() {
    let large = [&b"b"[..], &u32::MAX.to_le_bytes()].concat();
    let unknown = [&b"?"[..], &1_u32.to_le_bytes(), b"x"].concat();
    let no_message = [&b"m"[..], &1_u32.to_le_bytes(), b"x"].concat();
    let cut = [&b"b"[..], &9_u32.to_le_bytes(), b"x"].concat();
    for bad in [large, unknown, no_message, cut] {
        assert!(next(&mut &bad[..]).is_err(), "{bad:?}");
    }
}

#[test]
fn files_links_and_names_are_seen_and_what_is_left_out_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::create_dir(root.join("left")).unwrap();
    std::fs::write(root.join("a/b/file"), "content").unwrap();
    std::fs::write(root.join("left/file"), "unseen").unwrap();
    symlink("where it leads", root.join("a/link")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap());
    let mut kept = Kept::default();
    files::below(root, &|path| path.ends_with("left").then(|| "so".to_owned()), &mut kept).unwrap();
    assert!(kept.holds(Kind::File, "content") && kept.holds(Kind::File, "where it leads"));
    assert!(kept.holds(Kind::Names, "link\n") && !kept.holds(Kind::File, "unseen"));
    let left = |name: &str| {
        (root.join(name).display().to_string(), if name == "left" { "so" } else { "a socket" }.to_owned())
    };
    assert!(
        kept.left_out.contains(&left("left")) && kept.left_out.contains(&left("socket")),
        "{:?}",
        kept.left_out
    );
}

#[test]
fn a_process_is_seen_with_its_variables_its_words_and_its_memory() {
    let word = "in-the-memory-of-a-process";
    let mut child = std::process::Command::new("sh")
        .args(["-c", "read line; echo read; read again", "its-words"])
        .env("A_VARIABLE", "its-value")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, format!("{word}\n").as_bytes()).unwrap();
    let mut answer = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut answer).unwrap();
    let mut kept = Kept::default();
    processes::look(&[child.id()], 0, &mut kept).unwrap();
    assert!(kept.holds(Kind::Variable, "A_VARIABLE=its-value"));
    assert!(kept.holds(Kind::CommandLine, "its-words"));
    assert!(kept.holds(Kind::Memory, word), "{:?}", kept.left_out);
    assert!(
        kept.places
            .iter()
            .all(|(place, _)| place.process.as_ref().is_some_and(|(pid, _)| *pid == child.id()))
    );
    // Its memory is left out where it is the one that reads.
    let mut kept = Kept::default();
    processes::look(&[child.id()], child.id(), &mut kept).unwrap();
    assert!(!kept.holds(Kind::Memory, word) && !kept.left_out.is_empty());
    drop(input);
    child.wait().unwrap();
}
