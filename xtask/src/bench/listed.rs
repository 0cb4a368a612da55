//! `coffer ps` over many live runs: real records, each with a lock that is held.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::rounds::{Rounds, median};
use super::sandbox::Sandbox;
use crate::error::Error;

/// So many runs live at once.
const RUNS: u32 = 200;
/// What a run writes into its folder.
const RECORD: &str = "about.json";

/// The median of `coffer ps --json`, in milliseconds.
pub(super) fn milliseconds(coffer: &Path, rounds: u32) -> Result<f64, Error> {
    let sandbox = Sandbox::new(coffer)?;
    let record = record_of_a_run(&sandbox)?;
    let runs = sandbox.runs();
    let held = (0..RUNS).map(|run| live(&runs, run, &record)).collect::<Result<Vec<File>, _>>()?;
    let listed = sandbox.ps().output().map_err(|error| failed(error.to_string()))?;
    let found: serde_json::Value =
        serde_json::from_slice(&listed.stdout).map_err(|error| failed(error.to_string()))?;
    let count = found["runs"].as_array().map_or(0, Vec::len);
    if u32::try_from(count) != Ok(RUNS) {
        return Err(failed(format!("{count} runs of {RUNS} are listed")));
    }
    let mut ps = Rounds::new(vec![sandbox.listed()]);
    ps.perform(rounds)?;
    drop(held);
    Ok(median(ps.of(0)))
}

/// What a run writes down of itself, as long as it lives.
fn record_of_a_run(sandbox: &Sandbox) -> Result<serde_json::Value, Error> {
    let mut command = sandbox.coffer_run(&["/bin/sh", "-c", "echo ready; exec cat"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let heard = BufReader::new(output).read_line(&mut line);
    let record = heard.map_err(|error| failed(error.to_string())).and_then(|_| read(sandbox));
    // It ends with its input, whatever came of the record.
    drop(child.stdin.take());
    child.wait().map_err(|error| failed(error.to_string()))?;
    record
}

/// The record of the one run that lives.
fn read(sandbox: &Sandbox) -> Result<serde_json::Value, Error> {
    let runs = sandbox.folders_of_runs()?;
    let [run] = runs.as_slice() else { return Err(failed(format!("{} runs live", runs.len()))) };
    let path = run.join(RECORD);
    let text = std::fs::read(&path).map_err(|source| Error::Read { path, source })?;
    serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))
}

/// One more run with such a record; it lives as long as its lock is held.
fn live(runs: &Path, run: u32, record: &serde_json::Value) -> Result<File, Error> {
    let id = format!("{run:016x}");
    let folder = runs.join(&id);
    let cannot = |source| Error::Write { path: folder.clone(), source };
    let mut record = record.clone();
    record["run"] = id.clone().into();
    std::fs::create_dir(&folder).map_err(cannot)?;
    std::fs::write(folder.join(RECORD), record.to_string()).map_err(cannot)?;
    let lock = File::create(runs.join(format!("{id}.lock"))).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    Ok(lock)
}

fn failed(stderr: String) -> Error {
    Error::Failed { command: format!("coffer ps over {RUNS} runs"), stderr }
}
