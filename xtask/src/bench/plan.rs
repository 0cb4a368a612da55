//! Facts to checked plan, inside this process: everything pure that stands between reading the machine and showing.

use std::path::Path;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_host::Machine;
use coffer_plan::built_in;
use coffer_plan::check::check;
use coffer_plan::config::{Flags, Layers, Merged, Settings, Trust, merge};
use coffer_plan::derive::derive;
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::{CheckedPlan, NetworkTier};
use coffer_plan::policy::{Inputs, resolve};

use super::rounds::median;
use super::sandbox::{PROGRAM, Sandbox};
use crate::error::Error;

/// The median in milliseconds, for the plan of `coffer run --network none -- true`.
pub(super) fn milliseconds(sandbox: &Sandbox, rounds: u32) -> Result<f64, Error> {
    let facts = facts(sandbox).map_err(failed)?;
    let mut took = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let plan = plan(&facts).map_err(failed)?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
        // What nobody uses need not be computed.
        std::hint::black_box(plan);
    }
    Ok(median(&took))
}

fn failed(stderr: String) -> Error {
    Error::Failed { command: "plan".to_owned(), stderr }
}

/// What was said: nothing but the two flags of the measured command.
fn said(facts: &HostFacts) -> Result<(Merged, Flags), String> {
    let flags = Flags {
        settings: Settings { network: Some(NetworkTier::None), ..Settings::default() },
        command: Some(vec![PROGRAM.to_owned()]),
        ..Flags::default()
    };
    let layers = Layers {
        built_in_profiles: built_in::profiles().map_err(words)?,
        project_path: facts.project.path.clone(),
        flags: flags.clone(),
        ..Layers::default()
    };
    Ok((merge(&layers).map_err(words)?, flags))
}

fn inputs() -> Result<Inputs, String> {
    Ok(Inputs {
        agent: built_in::agent("claude").map_err(words)?,
        all_agents: built_in::agents().map_err(words)?.into_values().collect(),
        system: built_in::system().map_err(words)?,
        secrets: built_in::secrets().map_err(words)?,
        tools: built_in::tools().map_err(words)?,
        system_calls: built_in::system_calls().map_err(words)?,
        deferred: built_in::deferred().map_err(words)?,
        trust: Trust::default(),
    })
}

/// The machine as the measured command finds it.
fn facts(sandbox: &Sandbox) -> Result<HostFacts, String> {
    let utf8 = |path: &Path| Utf8PathBuf::try_from(path.to_owned()).map_err(words);
    let machine = Machine {
        environment: sandbox.environment(),
        current_folder: utf8(&sandbox.project())?.into(),
        proc: Utf8Path::new("/proc").to_owned(),
        passwd: Utf8Path::new("/etc/passwd").to_owned(),
    };
    let mut facts = machine.base().map_err(words)?;
    // The measured program is `coffer`, not the one that measures.
    facts.coffer = utf8(sandbox.coffer())?;
    let (merged, _) = said(&facts)?;
    let questions = inputs()?.questions(&merged, &Flags::default(), &facts);
    coffer_host::look_up(&mut facts, &questions);
    Ok(facts)
}

fn plan(facts: &HostFacts) -> Result<CheckedPlan, String> {
    let (merged, flags) = said(facts)?;
    let policy = resolve(merged, &flags, inputs()?, facts).map_err(list)?;
    let plan = derive(&policy, facts).map_err(list)?;
    check(plan, &policy, facts).map_err(list)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn list(errors: Vec<impl std::fmt::Display>) -> String {
    errors.into_iter().map(words).collect::<Vec<_>>().join("; ")
}
