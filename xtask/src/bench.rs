//! `bench`: the figures of docs/reference/bench.md (bench/README.md says how they are taken).

pub(crate) mod compare;
mod containers;
pub(crate) mod gateway;
mod init;
mod listed;
mod machine;
mod memory;
mod page;
mod plan;
mod publish;
mod rounds;
mod sandbox;
mod state_copy;
mod verify;

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::Error;
use crate::tree::Tree;
use containers::Contained;
use publish::Publishing;
use rounds::{Rounds, median};
use sandbox::Sandbox;
use state_copy::StateCopy;

const LIMITS: &str = "bench/limits.toml";
const PAGE: &str = "docs/reference/bench.md";

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The optimised `coffer`
    #[arg(long)]
    coffer: PathBuf,
    /// Rounds of each variant
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(30..))]
    rounds: u32,
    /// Only print the page
    #[arg(long)]
    dry_run: bool,
}

/// What is aimed at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    run_to_hand_ratio: f64,
    peak_mib: f64,
    plan_ms: f64,
    verify_per_second: f64,
    init_ms: f64,
    binary_mib: f64,
    publish_ms: f64,
    state_copy_ms: f64,
    container_ratio: f64,
    ps_ms: f64,
}

/// What was seen; times are medians in milliseconds.
#[derive(Debug)]
pub(crate) struct Figures {
    rounds: u32,
    nothing_ms: f64,
    hand_ms: f64,
    run_ms: f64,
    run_to_hand_ratio: f64,
    peak_mib: f64,
    peak_with_helpers_mib: f64,
    plan_ms: f64,
    verify_per_second: f64,
    init_ms: f64,
    binary_mib: f64,
    publishing: Publishing,
    state_copy: StateCopy,
    containers: Vec<Contained>,
    ps_ms: f64,
}

/// Measures and writes the page. Figures over their limit are named on the page, and are no findings: no timing
/// decides whether a change is good.
pub(crate) fn run(tree: &Tree, arguments: &Arguments) -> Result<Vec<String>, Error> {
    let limits: Limits = tree.read_toml(LIMITS)?;
    let figures = measure(arguments)?;
    let page = page::write(&figures, &limits, &machine::describe(&arguments.coffer)?);
    if arguments.dry_run {
        crate::report(&page);
    } else {
        tree.write(PAGE, &page)?;
    }
    Ok(Vec::new())
}

fn measure(arguments: &Arguments) -> Result<Figures, Error> {
    let sandbox = Sandbox::new(&arguments.coffer)?;
    let mut rounds = Rounds::new(vec![sandbox.nothing(), sandbox.by_hand()?, sandbox.run()]);
    rounds.perform(arguments.rounds)?;
    let [nothing_ms, hand_ms, run_ms] = [0, 1, 2].map(|variant| median(rounds.of(variant)));
    let ratios: Vec<f64> = rounds.of(2).iter().zip(rounds.of(1)).map(|(run, hand)| run / hand).collect();
    let peaks = (0..10).map(|_| memory::peak(&sandbox)).collect::<Result<Vec<_>, _>>()?;
    Ok(Figures {
        rounds: arguments.rounds,
        nothing_ms,
        hand_ms,
        run_ms,
        run_to_hand_ratio: median(&ratios),
        peak_mib: median(&peaks.iter().map(|peak| peak.own_mib).collect::<Vec<_>>()),
        peak_with_helpers_mib: median(&peaks.iter().map(|peak| peak.with_helpers_mib).collect::<Vec<_>>()),
        plan_ms: plan::milliseconds(&sandbox, arguments.rounds)?,
        verify_per_second: verify::per_second(arguments.rounds),
        init_ms: init::milliseconds(&sandbox, arguments.rounds)?,
        binary_mib: machine::size_mib(&arguments.coffer)?,
        publishing: publish::measure(&arguments.coffer)?,
        state_copy: state_copy::measure(&arguments.coffer, arguments.rounds)?,
        containers: containers::measure(&arguments.coffer)?,
        ps_ms: listed::milliseconds(&arguments.coffer, arguments.rounds)?,
    })
}
