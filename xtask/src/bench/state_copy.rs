//! `--state copy` of a large state against the same run without it, and against `cp -a` of that state.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::rounds::{Rounds, median};
use super::sandbox::Sandbox;
use crate::error::Error;

/// Files of the state, in folders of a hundred.
const FILES: u32 = 50_000;
/// Copies by hand take seconds each.
const BY_HAND: u32 = 3;

/// What was seen.
#[derive(Debug)]
pub(super) struct StateCopy {
    /// What the working copy adds to a run, in milliseconds: the median of the differences.
    pub(super) added_ms: f64,
    /// `cp -a` of the state to what the working copy adds.
    pub(super) by_hand_ratio: f64,
}

pub(super) fn measure(coffer: &Path, rounds: u32) -> Result<StateCopy, Error> {
    let sandbox = Sandbox::new(coffer)?;
    // The first run makes the state's folder.
    super::rounds::time(&sandbox.run())?;
    let state = sandbox.state()?;
    fill(&state)?;
    let mut variants =
        Rounds::new(vec![sandbox.run(), sandbox.run_with("coffer run --state copy", &["--state", "copy"])]);
    variants.perform(rounds)?;
    let added: Vec<f64> =
        variants.of(1).iter().zip(variants.of(0)).map(|(copy, plain)| copy - plain).collect();
    let added_ms = median(&added);
    let by_hand = (0..BY_HAND).map(|_| by_hand(&state)).collect::<Result<Vec<_>, _>>()?;
    Ok(StateCopy { added_ms, by_hand_ratio: median(&by_hand) / added_ms })
}

fn fill(state: &Path) -> Result<(), Error> {
    for folder in 0..FILES / 100 {
        let path = state.join("projects").join(folder.to_string());
        let cannot = |source| Error::Write { path: path.clone(), source };
        std::fs::create_dir_all(&path).map_err(cannot)?;
        for file in 0..100 {
            std::fs::write(path.join(format!("{file}.jsonl")), "{\"type\":\"summary\"}\n").map_err(cannot)?;
        }
    }
    Ok(())
}

/// `cp -a` of the state, in milliseconds.
fn by_hand(state: &Path) -> Result<f64, Error> {
    let copy = state.with_extension("by-hand");
    let cannot = |source| Error::Write { path: copy.clone(), source };
    let started = Instant::now();
    let status = Command::new("cp").arg("-a").arg(state).arg(&copy).status().map_err(cannot)?;
    let took = started.elapsed().as_secs_f64() * 1000.0;
    if !status.success() {
        return Err(Error::Failed { command: "cp -a".to_owned(), stderr: status.to_string() });
    }
    std::fs::remove_dir_all(&copy).map_err(cannot)?;
    Ok(took)
}
