//! `bench-gateway`: the figures of docs/reference/gateway.md (bench/README.md says how they are taken).

mod live;
mod load;
mod page;
mod peers;
mod streams;
mod upstream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Deserialize;

use super::machine;
use super::rounds::median;
use super::sandbox::Sandbox;
use crate::error::Error;
use crate::tree::Tree;
use live::Live;
use load::{Seen, Target};
use peers::Peer;

const LIMITS: &str = "bench/gateway.toml";
const PAGE: &str = "docs/reference/gateway.md";
/// Requests per second of the soak.
const PACE: u32 = 500;
/// Streams that wait at the same time.
const WAITING: usize = 1000;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The optimised `coffer`
    #[arg(long)]
    coffer: PathBuf,
    /// `mitmdump`
    #[arg(long)]
    mitmdump: PathBuf,
    /// Rounds of each variant
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Seconds of each variant in a round
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Seconds of the soak; 0 for none
    #[arg(long, default_value_t = 600)]
    soak: u64,
    /// Only print the page
    #[arg(long)]
    dry_run: bool,
}

/// What is aimed at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    requests_to_better_ratio: f64,
    latency_to_better_ratio: f64,
    added_p50_us: f64,
    added_p99_us: f64,
    first_byte_us: f64,
    event_us: f64,
    tunnel_to_direct_ratio: f64,
    waiting_mib: f64,
}

/// One size and one number of connections: what each target showed, by its name, round by round.
struct Cell {
    path: &'static str,
    connections: u32,
    seen: Vec<(&'static str, Vec<Seen>)>,
}

impl Cell {
    fn of(&self, name: &str) -> &[Seen] {
        self.seen.iter().find(|(known, _)| *known == name).map_or(&[], |(_, seen)| seen)
    }

    fn median(&self, name: &str, what: fn(&Seen) -> f64) -> f64 {
        median(&self.of(name).iter().map(what).collect::<Vec<_>>())
    }
}

/// What was seen.
struct Figures {
    rounds: u32,
    seconds: u32,
    reverse: Vec<Cell>,
    forward: Vec<Cell>,
    events: Vec<(&'static str, Vec<streams::Stream>)>,
    direct_bytes: Vec<f64>,
    tunnel_bytes: Vec<f64>,
    idle_mib: f64,
    waiting_mib: f64,
    soak: Option<Soak>,
}

/// The gateway before and after a long time under a moderate load.
struct Soak {
    seconds: u64,
    answered: u64,
    /// After a tenth of the time, and at its end.
    mib: [f64; 2],
    descriptors: [usize; 2],
}

/// Measures and writes the page; what misses its aim is named there and is no finding.
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
    // Both ends of all streams are in this process.
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    let raised = setrlimit(Resource::Nofile, files);
    raised.map_err(|errno| Error::Start { command: "many streams".to_owned(), source: errno.into() })?;
    let sandbox = Sandbox::new(&arguments.coffer)?;
    let upstream =
        upstream::start().map_err(|source| Error::Start { command: "the upstream".to_owned(), source })?;
    let folder = sandbox.project();
    let plain = script(&folder, "plain.lua", "")?;
    let mut api = Live::start(&sandbox, &["--network", "full", "--auth", "gateway"], upstream)?;
    let door = live::door(&mut api)?;
    let shows =
        script(&folder, "api.lua", &format!("wrk.headers[\"Authorization\"] = \"Bearer {}\"", door.word))?;
    let gateway = api.gateway()?;
    let idle_mib = live::resident_mib(gateway)?;

    let nginx = Peer::nginx(&folder, upstream)?;
    let haproxy = Peer::haproxy(&folder, upstream)?;
    let reverse = |name, address, script| Target { name, address, prefix: String::new(), script };
    let targets = [
        reverse("direct", upstream, &*plain),
        reverse("nginx", nginx.address, &*plain),
        reverse("haproxy", haproxy.address, &*plain),
        reverse("coffer", door.address, &*shows),
    ];
    let reverse = cells(&targets, &["/small", "/large"], arguments, None)?;
    let events = events(
        &[
            ("direct", upstream, ""),
            ("nginx", nginx.address, ""),
            ("haproxy", haproxy.address, ""),
            ("coffer", door.address, &door.word),
        ],
        arguments.rounds,
    )?;
    let waiting = streams::waiting(door.address, &door.word, WAITING)
        .map_err(|source| Error::Start { command: "waiting streams".to_owned(), source })?;
    let waiting_mib = live::resident_mib(gateway)?;
    drop((waiting, nginx, haproxy));

    let allow = upstream.to_string();
    let mut out =
        Live::start(&sandbox, &["--network", "dev", "--auth", "none", "--allow", &allow], upstream)?;
    let forward = forward(&folder, upstream, &plain, &mut out, arguments)?;
    let (direct_bytes, tunnel_bytes) = tunnels(upstream, &mut out, arguments)?;
    let soak = (arguments.soak > 0).then(|| soak(&door, gateway, arguments.soak)).transpose()?;
    Ok(Figures {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        reverse,
        forward,
        events,
        direct_bytes,
        tunnel_bytes,
        idle_mib,
        waiting_mib,
        soak,
    })
}

/// A script for `wrk`: what stands before the path comes on its command line.
fn script(folder: &Path, name: &str, more: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    let text = format!(
        "function init(args)\n  local prefix = args[1] or \"\"\n  wrk.path = prefix .. wrk.path\n  \
         if prefix ~= \"\" then wrk.headers[\"Host\"] = string.sub(prefix, 8) end\n  {more}\nend\n"
    );
    std::fs::write(&path, text).map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok(path)
}

/// Every target in every round, in an order that turns; one of them may be measured from inside of a sandbox.
fn cells(
    targets: &[Target<'_>],
    paths: &[&'static str],
    arguments: &Arguments,
    mut inside: Option<(&'static str, &mut Live)>,
) -> Result<Vec<Cell>, Error> {
    let mut cells = Vec::new();
    for path in paths {
        for connections in [1, 64] {
            let seen = targets.iter().map(|target| (target.name, Vec::new())).collect();
            let mut cell = Cell { path, connections, seen };
            for round in 0..arguments.rounds as usize {
                for place in 0..targets.len() {
                    let at = (place + round) % targets.len();
                    let target = &targets[at];
                    let live = match &mut inside {
                        Some((name, live)) if *name == target.name => Some(&mut **live),
                        _ => None,
                    };
                    let seen = load::measure(target, path, connections, arguments.seconds, live)?;
                    cell.seen[at].1.push(seen);
                }
            }
            cells.push(cell);
        }
    }
    Ok(cells)
}

fn forward(
    folder: &Path,
    upstream: SocketAddr,
    plain: &Path,
    out: &mut Live,
    arguments: &Arguments,
) -> Result<Vec<Cell>, Error> {
    let squid = Peer::squid(folder)?;
    let mitmproxy = Peer::mitmproxy(folder, &arguments.mitmdump)?;
    let proxy = SocketAddr::from(([127, 0, 0, 1], 3128));
    let target =
        |name, address| Target { name, address, prefix: format!("http://{upstream}"), script: plain };
    let targets = [
        Target { name: "direct", address: upstream, prefix: String::new(), script: plain },
        target(squid.name, squid.address),
        target(mitmproxy.name, mitmproxy.address),
        target("coffer", proxy),
    ];
    cells(&targets, &["/small"], arguments, Some(("coffer", out)))
}

fn events(
    targets: &[(&'static str, SocketAddr, &str)],
    rounds: u32,
) -> Result<Vec<(&'static str, Vec<streams::Stream>)>, Error> {
    let mut seen: Vec<(&'static str, Vec<streams::Stream>)> =
        targets.iter().map(|(name, ..)| (*name, Vec::new())).collect();
    for round in 0..rounds as usize {
        for place in 0..targets.len() {
            let at = (place + round) % targets.len();
            let (name, address, word) = targets[at];
            let failed = |source| Error::Start { command: format!("a stream of events by {name}"), source };
            seen[at].1.push(streams::one(address, word).map_err(failed)?);
        }
    }
    Ok(seen)
}

/// Bytes per second, directly and by a tunnel out of a sandbox, in turn.
fn tunnels(
    upstream: SocketAddr,
    out: &mut Live,
    arguments: &Arguments,
) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let url = format!("http://{upstream}/endless");
    let (mut direct, mut tunnel) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        for place in 0..2 {
            if (round + place) % 2 == 0 {
                direct.push(live::fetch_here(&url, arguments.seconds)?);
            } else {
                let said = out.says(&live::fetch_words(&url, arguments.seconds, Some("127.0.0.1:3128")))?;
                let failed =
                    |_| Error::Failed { command: "curl in a sandbox".to_owned(), stderr: said.clone() };
                tunnel.push(said.parse().map_err(failed)?);
            }
        }
    }
    Ok((direct, tunnel))
}

fn soak(door: &live::Door, gateway: u32, seconds: u64) -> Result<Soak, Error> {
    let begin = seconds.div_ceil(10);
    let run = |seconds| {
        let answered = streams::paced(door.address, &door.word, PACE, Duration::from_secs(seconds));
        answered.map_err(|source| Error::Start { command: "the soak".to_owned(), source })
    };
    let mut answered = run(begin)?;
    let early = (live::resident_mib(gateway)?, live::descriptors(gateway)?);
    answered += run(seconds - begin)?;
    let late = (live::resident_mib(gateway)?, live::descriptors(gateway)?);
    Ok(Soak { seconds, answered, mib: [early.0, late.0], descriptors: [early.1, late.1] })
}
