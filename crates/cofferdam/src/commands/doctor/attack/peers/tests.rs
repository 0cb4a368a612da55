//! Tests of the comparison with other sandboxes.

use std::ffi::OsString;

use coffer_testkit::Scratch;

use super::*;

fn brief(scratch: &Scratch) -> Brief {
    Brief { home: scratch.home(), project: scratch.project(), ..Brief::default() }
}

fn peer(words: &[&str]) -> Peer {
    Peer {
        name: "a sandbox".to_owned(),
        program: "/opt/peer/bin/peer".into(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
        search: Some("/opt/peer/bin".into()),
        files: BTreeMap::new(),
        own_processes: true,
    }
}

#[test]
fn a_peer_is_started_by_its_own_words_and_the_brief_comes_last() {
    let scratch = Scratch::new().unwrap();
    let (brief, agent) = (brief(&scratch), scratch.home().join(AGENT));
    let peer = peer(&["--bind", "${project}", "${home}/.claude", "--", "${agent}"]);
    let command = started(Command::new(&peer.program), &peer, &brief, &agent);
    let said: Vec<OsString> = command.get_args().map(OsString::from).collect();
    let state = scratch.home().join(".claude");
    let project = scratch.project();
    let expected: [OsString; 5] =
        ["--bind".into(), project.into(), state.into(), "--".into(), agent.into_os_string()];
    assert_eq!(said[..5], expected);
    assert_eq!((said.len(), &said[5]), (6, &word(&brief)));
}

#[test]
fn what_a_peer_needs_is_found_before_the_agent_and_both_before_all_else() {
    let all = search(&peer(&[]), Path::new("/home/u/.local/bin/claude"));
    let folders: Vec<PathBuf> = std::env::split_paths(&all).take(2).collect();
    assert_eq!(folders, [Path::new("/opt/peer/bin"), Path::new("/home/u/.local/bin")]);
}

#[test]
fn the_agent_of_the_stage_starts_the_probe_with_whatever_it_is_given() {
    let scratch = Scratch::new().unwrap();
    // Says its own name and its words: `echo` in the place of the probe.
    let probe = Probe { program: "/bin/echo".into(), called: "probe", words: &["attack"] };
    let agent = lay_agent(&brief(&scratch), &probe).unwrap();
    let said = Command::new(&agent).arg("{\"a\": \"b c\"}").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "attack {\"a\": \"b c\"}\n");
    assert!(scratch.project().join("target/probe").exists());
}

#[test]
fn what_is_compared_has_no_key_that_nobody_knows() {
    let known = serde_json::json!({"user": [1000, 1000], "homes": "/srv", "peers": []});
    assert!(serde_json::from_value::<Comparison>(known.clone()).is_ok());
    let mut unknown = known;
    unknown["home"] = "/home".into();
    assert!(serde_json::from_value::<Comparison>(unknown).is_err());
}
