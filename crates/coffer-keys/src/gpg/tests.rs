use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::Mutex;

use proptest::prelude::*;

use super::{Grips, MAX_DATA, MAX_LINE, talk};
use crate::serve::{Outside, Used, Verdict};

const SIGNS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const DECRYPTS: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
const OTHER: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";

fn grips() -> Grips {
    Grips {
        sign: BTreeMap::from([(SIGNS.to_owned(), "signs".to_owned())]),
        decrypt: BTreeMap::from([(DECRYPTS.to_owned(), "decrypts".to_owned())]),
        description: "ours: 100% + more".to_owned(),
    }
}

/// One side of a connection: what comes, and what was written.
struct Wire {
    comes: Cursor<Vec<u8>>,
    written: Vec<u8>,
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

/// An agent that says yes to everything, asks back when it decrypts, and says too much.
struct Agent<'a> {
    asked: &'a Mutex<Vec<String>>,
    answers: Vec<u8>,
}

impl Read for Agent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.answers.len());
        for (to, from) in buffer.iter_mut().zip(self.answers.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl Write for Agent<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        for line in buffer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line).into_owned();
            let answer: &[u8] = match line.as_str() {
                "PKDECRYPT" => b"S INQUIRE_MAXLEN 4096\nINQUIRE CIPHERTEXT\n",
                "PKSIGN" => {
                    b"INQUIRE PINENTRY_LAUNCHED 1 x /dev/tty\n# a comment\nD signature\nOK done, process 7\n"
                }
                "CAN" if self.asked.lock().unwrap().last().is_some_and(|last| last == "PKSIGN") => b"",
                "CAN" => b"ERR 67108963 Operation cancelled <GPG Agent>\n",
                line if line.starts_with("D ") => b"",
                _ => b"OK\n",
            };
            self.answers.extend_from_slice(answer);
            self.asked.lock().unwrap().push(line);
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct World {
    asked: Mutex<Vec<String>>,
    used: Mutex<Vec<Used>>,
    agrees: bool,
}

struct Borrowed<'a>(&'a World);

impl<'a> Outside for Borrowed<'a> {
    type Agent = Agent<'a>;

    fn connect(&self) -> io::Result<Agent<'a>> {
        Ok(Agent { asked: &self.0.asked, answers: b"OK Pleased to meet you, process 7\n".to_vec() })
    }

    fn agrees(&self, _: &str, _: &str) -> bool {
        self.0.agrees
    }

    fn used(&self, used: &Used) {
        self.0.used.lock().unwrap().push(used.clone());
    }
}

/// What the sandbox hears, and what the agent was asked.
fn said(lines: &[u8], agrees: bool) -> (Vec<String>, World) {
    let world = World { asked: Mutex::default(), used: Mutex::default(), agrees };
    let mut wire = Wire { comes: Cursor::new(lines.to_vec()), written: Vec::new() };
    // It may end in a line that is none.
    let _ = talk(&mut wire, &Borrowed(&world), &grips());
    let heard = String::from_utf8_lossy(&wire.written).lines().skip(1).map(str::to_owned).collect();
    (heard, world)
}

fn asked(world: &World) -> Vec<String> {
    world.asked.lock().unwrap().clone()
}

#[test]
fn a_granted_key_signs_and_says_nothing_of_the_host() {
    let lines = format!(
        "RESET\nOPTION ttyname=/dev/pts/1\nSIGKEY {SIGNS}\nSETKEYDESC theirs\nSETHASH 8 00FF\nPKSIGN nonce\nBYE\n"
    );
    let (heard, world) = said(lines.as_bytes(), true);
    assert_eq!(heard, ["OK", "OK", "OK", "OK", "OK", "D signature", "OK", "OK closing connection"]);
    let choose = format!("SIGKEY {SIGNS}");
    // The description is ours, options go nowhere, and a pinentry's whereabouts are nobody's.
    let described = "SETKEYDESC ours:+100%25+%2B+more";
    assert_eq!(asked(&world), ["RESET", &choose, described, "SETHASH 8 00FF", "PKSIGN", "CAN"]);
    let used = world.used.lock().unwrap();
    assert_eq!(*used, [Used { what: "sign", key: Some("signs".to_owned()), verdict: Verdict::Allowed }]);
}

#[test]
fn other_keys_are_not_there() {
    let lines = format!(
        "HAVEKEY {OTHER}\nHAVEKEY {OTHER} {SIGNS}\nKEYINFO {OTHER}\nREADKEY {OTHER}\nSIGKEY {OTHER}\nPKSIGN\nHAVEKEY --list=1000\n"
    );
    let (heard, world) = said(lines.as_bytes(), true);
    let codes: Vec<&str> = heard.iter().map(|line| line.split(' ').take(2).last().unwrap()).collect();
    assert_eq!(codes[..6], ["67108881", "OK", "67108891", "67108891", "67108881", "67109115"]);
    assert_eq!(heard[6].as_bytes()[..2], *b"D ");
    assert_eq!(asked(&world), [format!("HAVEKEY {SIGNS}")]);
}

/// The two ways to choose a key are one to the agent: what may be done with it is looked at when it is done.
#[test]
fn a_key_does_only_what_it_is_granted_for() {
    for choose in ["SIGKEY", "SETKEY"] {
        let lines = format!(
            "{choose} {DECRYPTS}\nSETHASH 8 00\nPKSIGN\nRESET\n{choose} {SIGNS}\nPKDECRYPT\nRESET\nPKSIGN\n"
        );
        let (heard, world) = said(lines.as_bytes(), true);
        let denied = heard.iter().filter(|line| line.starts_with("ERR 67109115")).count();
        assert_eq!(denied, 3, "{heard:?}");
        assert!(!asked(&world).iter().any(|line| line.starts_with("PK")), "{:?}", asked(&world));
    }
}

#[test]
fn what_is_to_be_decrypted_is_handed_over_and_nothing_else() {
    let chosen = format!("SETKEY {DECRYPTS}\nPKDECRYPT\n");
    let (heard, world) = said(format!("{chosen}D cipher%0Atext\nEND\n").as_bytes(), true);
    assert_eq!(heard, ["OK", "S INQUIRE_MAXLEN 4096", "INQUIRE CIPHERTEXT", "OK"]);
    assert_eq!(asked(&world)[2..], ["D cipher%0Atext", "END"]);
    // Another command in its place, or too much of it, calls it off.
    let flood = format!("D {}\n", "x".repeat(MAX_LINE - 2)).repeat(MAX_DATA / (MAX_LINE - 2) + 2);
    for instead in ["KILLAGENT\n", &flood] {
        let (heard, world) = said(format!("{chosen}{instead}").as_bytes(), true);
        assert!(heard.iter().any(|line| line.starts_with("ERR 67108963")), "{heard:?}");
        let asked = asked(&world);
        assert_eq!(asked.last().map(String::as_str), Some("CAN"));
        assert!(asked.iter().map(String::len).sum::<usize>() < MAX_DATA + 100);
    }
}

#[test]
fn a_person_who_says_no_is_heard() {
    let (heard, world) = said(format!("SIGKEY {SIGNS}\nSETHASH 8 00\nPKSIGN\n").as_bytes(), false);
    assert!(heard[2].starts_with("ERR 67108963"), "{heard:?}");
    assert!(!asked(&world).contains(&"PKSIGN".to_owned()));
}

#[test]
fn everything_else_is_refused_here() {
    for line in [
        "KILLAGENT",
        "RELOADAGENT",
        "GETINFO pid",
        "GETINFO socket_name",
        "GETINFO cmd_has_option A B C",
        "EXPORT_KEY x",
        "IMPORT_KEY",
        "GENKEY",
        "DELETE_KEY",
        "PASSWD",
        "PRESET_PASSPHRASE",
        "GET_PASSPHRASE",
        "CLEAR_PASSPHRASE",
        "KEYINFO --list",
        "SCD SERIALNO",
        "LEARN",
        "KEYWRAP_KEY",
        "GET_CONFIRMATION",
        "SETHASH --inquire",
        "SETHASH 8",
        "SETHASH 8 zz",
        "SIGKEY",
        "RESET all",
        "",
        "END",
        "D data",
        "CAN",
        "INPUT FD",
        "\u{1}RESET",
    ] {
        let (heard, world) = said(format!("{line}\n").as_bytes(), true);
        assert!(asked(&world).is_empty(), "{line}");
        assert!(line.is_empty() || heard.len() == 1 && heard[0].starts_with("ERR "), "{line}: {heard:?}");
    }
    // A line without end is none.
    let (heard, world) = said(&vec![b'A'; 100_000], true);
    assert!(heard.is_empty() && asked(&world).is_empty());
}

/// Whether the agent may ever hear this line.
fn is_known(line: &str) -> bool {
    let ours = [SIGNS, DECRYPTS];
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    match command {
        "RESET" | "PKSIGN" | "PKDECRYPT" | "END" | "CAN" => rest.is_empty(),
        "HAVEKEY" => rest.split(' ').all(|grip| ours.contains(&grip)),
        "KEYINFO" | "READKEY" | "SIGKEY" | "SETKEY" => ours.contains(&rest),
        "SETKEYDESC" => rest == "ours:+100%25+%2B+more",
        "SETHASH" | "GETINFO" | "D" => true,
        _ => false,
    }
}

fn line() -> impl Strategy<Value = String> {
    let command = prop::sample::select(vec![
        "RESET",
        "PKSIGN",
        "PKDECRYPT",
        "HAVEKEY",
        "KEYINFO",
        "READKEY",
        "SIGKEY",
        "setkey",
        "SETKEYDESC",
        "SETHASH",
        "GETINFO",
        "OPTION",
        "D",
        "END",
        "CAN",
        "KILLAGENT",
        "EXPORT_KEY",
        "#",
    ]);
    let word = prop_oneof![
        prop::sample::select(vec![SIGNS, DECRYPTS, OTHER, "8", "00FF", "version", "pid", "--list", ""])
            .prop_map(str::to_owned),
        "\\PC{0,30}",
    ];
    (command, prop::collection::vec(word, 0..3))
        .prop_map(|(command, words)| format!("{command} {}", words.join(" ")))
}

proptest! {
    /// Whatever a sandbox says, the agent hears nothing but lines of the list, about granted keys.
    #[test]
    fn nothing_else_ever_reaches_the_agent(lines in prop::collection::vec(line(), 1..30), rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut all = lines.join("\n").into_bytes();
        all.push(b'\n');
        all.extend_from_slice(&rest);
        let (heard, world) = said(&all, true);
        for line in asked(&world) {
            prop_assert!(is_known(line.trim_end()), "{line:?}");
        }
        prop_assert!(heard.iter().all(|line| !line.contains("process 7")));
    }
}
