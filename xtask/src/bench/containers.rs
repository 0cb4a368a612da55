//! `coffer run` in a container against the same container by hand, on each engine that is here.
//!
//! *By hand* is the command line that `coffer run --dry-run=command` prints, from the engine's program on: the same
//! options and mounts, with the program itself in the place of init, and empty files where something is made for a run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::engine::{Engine, Image, KINDS, Kind};

use super::rounds::{self, Rounds, median};
use super::sandbox::Sandbox;
use crate::error::Error;

/// What is run inside, by its path.
const PROGRAM: &str = "/bin/true";
/// Rounds: each takes half a second and more.
const ROUNDS: u32 = 30;
/// What `coffer run` is measured with, besides the engine and its image.
const OPTIONS: &[&str] = &["--audit", "never", "--yes", "--network", "none"];

/// What was seen on one engine.
#[derive(Debug)]
pub(super) struct Contained {
    /// The engine, in words.
    pub(super) engine: &'static str,
    /// By hand, in milliseconds.
    pub(super) hand_ms: f64,
    /// By `coffer run`.
    pub(super) run_ms: f64,
    /// The median of the rounds' ratios.
    pub(super) ratio: f64,
}

/// Measures each engine whose commands we can give ourselves; those of an ordinary user are that user's to measure.
pub(super) fn measure(coffer: &Path) -> Result<Vec<Contained>, Error> {
    let mut out = Vec::new();
    for kind in KINDS {
        if kind == Kind::PodmanOfUser && rustix::process::geteuid().is_root() {
            continue;
        }
        let engine = Engine::new(kind).map_err(|error| failed(error.to_string()))?;
        let Some(engine) = engine else { continue };
        let Some(image) = engine.image(Image::Tiny).map_err(|error| failed(error.to_string()))? else {
            continue;
        };
        out.push(on(coffer, &engine, image)?);
    }
    Ok(out)
}

fn on(coffer: &Path, engine: &Engine, image: &str) -> Result<Contained, Error> {
    let sandbox = Sandbox::new(coffer)?;
    let run = |more: &[&str]| {
        let mut command = sandbox.command(coffer);
        command.arg("run").args(OPTIONS).args(["--backend", engine.backend(), "--image", image]).args(more);
        command.args(["--", PROGRAM]);
        dress(&mut command, engine);
        command
    };
    // The first one makes the state folder that the command line mounts.
    rounds::time(&sandbox.plain("coffer run", &run(&[])))?;
    let printed = run(&["--dry-run=command"]).output().map_err(|error| failed(error.to_string()))?;
    let line = String::from_utf8_lossy(&printed.stdout).into_owned();
    let words = by_hand(&line, &sandbox.home()).ok_or_else(|| failed(format!("not understood: {line}")))?;
    for path in words.made.iter() {
        std::fs::write(path, "").map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    let mut hand = sandbox.command(&words.words[0]);
    hand.args(&words.words[1..]);
    dress(&mut hand, engine);
    let name = match engine.kind() {
        Kind::PodmanOfRoot => "podman, root",
        Kind::PodmanOfUser => "podman, rootless",
        Kind::Docker => "docker",
    };
    let mut both = Rounds::new(vec![sandbox.plain("by hand", &hand), sandbox.plain("coffer run", &run(&[]))]);
    both.perform(ROUNDS)?;
    let ratios: Vec<f64> = both.of(1).iter().zip(both.of(0)).map(|(run, hand)| run / hand).collect();
    Ok(Contained {
        engine: name,
        hand_ms: median(both.of(0)),
        run_ms: median(both.of(1)),
        ratio: median(&ratios),
    })
}

/// Adds what leads to the engine.
fn dress(command: &mut Command, engine: &Engine) {
    command.env("PATH", engine.path()).envs(engine.env().iter().cloned());
}

/// A command line, and the empty files that it mounts.
#[derive(Debug, PartialEq)]
struct ByHand {
    words: Vec<OsString>,
    made: Vec<PathBuf>,
}

/// The printed line from the engine's program on, with the program in the place of init. What is made for a run is a
/// file of this folder, or the folder itself.
fn by_hand(line: &str, folder: &Path) -> Option<ByHand> {
    let mut words = shlex::split(line.trim())?.into_iter().skip_while(|word| word != "--").skip(1);
    let mut out = ByHand { words: vec![words.next()?.into()], made: Vec::new() };
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        } else if word == "--name" {
            words.next();
        } else if word == "--entrypoint" {
            words.next();
            out.words.extend([word.into(), PROGRAM.into()]);
        } else if let Some(mount) = word.strip_prefix("@mount:") {
            let (what, rest) = mount.split_once(':')?;
            let source = match what.strip_prefix("file=") {
                Some(name) => {
                    let path = folder.join(format!("made-{name}"));
                    out.made.push(path.clone());
                    path
                }
                None => folder.to_owned(),
            };
            out.words.push(format!("{rest},source={}", source.display()).into());
        } else if let Some(text) = word.strip_prefix("@text:") {
            out.words.push(text.into());
        } else if word.starts_with('@') {
            return None;
        } else {
            out.words.push(word.into());
        }
    }
    Some(out)
}

fn failed(stderr: String) -> Error {
    Error::Failed { command: "a container".to_owned(), stderr }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ByHand, by_hand};

    #[test]
    fn a_container_by_hand_has_the_same_options_and_no_init() {
        let line = "coffer exec-launch --runtime /r -- /usr/bin/podman run --rm --name '@name' --mount \
                    '@mount:file=0:type=bind,target=/etc/passwd,readonly' --mount '@mount:sockets:type=bind,target=/s' \
                    --entrypoint /init abc -- /init --control-socket /s/c -- /bin/true\n";
        let words = by_hand(line, Path::new("/f")).unwrap();
        let expected = "/usr/bin/podman run --rm --mount type=bind,target=/etc/passwd,readonly,source=/f/made-0 --mount \
                        type=bind,target=/s,source=/f --entrypoint /bin/true abc";
        let expected = expected.split_whitespace().map(Into::into).collect();
        assert_eq!(words, ByHand { words: expected, made: vec!["/f/made-0".into()] });
        assert_eq!(by_hand("coffer exec-launch -- podman run -e '@ref:env:KEY' x", Path::new("/f")), None);
    }
}
