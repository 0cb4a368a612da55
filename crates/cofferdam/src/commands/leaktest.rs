//! `coffer leaktest`: a run with the user's own flags in which every credential is a canary and the API is the practice
//! API, searched from inside and from outside for the canary.
//!
//! It has two parts. Outside ([`enter`]) it looks at what the user has and puts canaries in the places of it. In a
//! network of its own, with nothing but loopback ([`test`]), it starts the practice API under the names of the real
//! one, makes the run's plan as every plan is made, and searches.

mod canary;
pub(crate) mod document;
mod judge;
mod report;
mod search;
mod session;
mod stage;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use camino::Utf8Path;
use coffer_plan::agent::{Agent, CredentialKind};
use coffer_plan::config::{Flags, Merged, MountSpec};
use coffer_plan::host::Host;
use coffer_plan::path::PathTemplate;
use coffer_plan::plan::{Access, NetworkTier};
use coffer_plan::show::audit;
use coffer_testkit::fake::{Gate, fingerprint};
use coffer_testkit::{FakeApi, Fault, Rule, Tap, netns};

use super::lab::failed;
use crate::cli::LeaktestCommand;
use crate::error::Error;
use crate::exit::{Failure, NO};
use crate::gateway::WORD;
use crate::prepare::{Tested, gather, lower, prepare_tested};
use crate::printer::Printer;
use crate::sight::{Kind, MARK, Place, Sink as _};
use canary::Canaries;
use document::From;
use judge::Rules;
use search::{Patterns, Searcher, Secret};
use session::{Event, Session};
use stage::Stage;

/// The word by which the command is called.
const NAME: &str = "leaktest";
/// Where the practice API's certificate authority lies inside.
const CA_INSIDE: &str = "/run/coffer-leaktest/ca.pem";
/// How the genuine clients are told of it.
const CA_VARIABLE: &str = "NODE_EXTRA_CA_CERTS";
/// What asks for an answer of the model.
const CALL: &str = "/v1/messages";

pub(crate) fn leaktest(command: &LeaktestCommand, printer: &Printer) -> Result<u8, Failure> {
    Ok(match &command.inside {
        None => enter(command)?,
        Some(root) => test(command, root, printer)?,
    })
}

/// Looks at what the user has, and starts ourselves again where there is nothing but loopback.
fn enter(command: &LeaktestCommand) -> Result<u8, Error> {
    if !netns::available() {
        return Err(Error::NoPrivateNetwork);
    }
    let gathered = gather(&command.flags.layer(None), None)?;
    is_possible(&gathered.merged, gathered.facts.user.uid)?;
    let (facts, agent) = (gathered.facts, gathered.inputs.agent);
    if let Some((source, file)) = stage::in_project(&facts, &agent) {
        return Err(Error::CredentialInProject { name: source, file });
    }
    let seed = match &command.seed {
        Some(seed) => seed.clone(),
        None => random()?,
    };
    let canaries = Canaries::of(&practice(FakeApi::builder().seed(bytes_of(&seed)?).start())?);
    let stage = Stage::new(&facts)?;
    let kind = command.kind.map(CredentialKind::from);
    let environment = stage.dress(&facts, &agent, &gathered.merged.account.value, kind, &canaries)?;
    let names: Vec<String> = names(&agent).iter().map(Host::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hosts = netns::hosts_file(&names).map_err(failed("the hosts file"))?;
    let mut again = netns::command(hosts.path(), facts.coffer.as_std_path().as_os_str());
    again.args(words(std::env::args_os(), &stage.root, &seed));
    again.env(MARK, random()?);
    for (name, value) in environment {
        match value {
            Some(value) => again.env(name, value),
            None => again.env_remove(name),
        };
    }
    let status = again.status().map_err(failed("starting `unshare`"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(NO))
}

/// A container can be looked into from outside by root alone, and only where its network is one that we made.
fn is_possible(merged: &Merged, uid: u32) -> Result<(), Error> {
    let kind = merged.backend.value;
    let refused =
        |message: String, hint: &str| Err(Error::Usage { message, more: Vec::new(), hint: hint.to_owned() });
    if !kind.is_engine() {
        return Ok(());
    }
    if uid != 0 {
        let message = format!("only root can look into a container of {kind} from outside");
        return refused(message, "test as root, or with `--backend bwrap`");
    }
    if merged.network.value == NetworkTier::Full {
        let message = format!(
            "with `--network full` {kind} gives the container a network in which the API's names are the real ones"
        );
        return refused(message, "`--network agent`, or another tier with a gateway");
    }
    Ok(())
}

/// What was typed, with what the part in the private network has to know.
fn words(typed: impl Iterator<Item = OsString>, root: &Utf8Path, seed: &str) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut typed = typed.skip(1);
    for word in typed.by_ref() {
        let here = word == NAME;
        out.push(word);
        if here {
            break;
        }
    }
    out.extend(["--inside", root.as_str(), "--seed", seed].map(OsString::from));
    while let Some(word) = typed.next() {
        match word.to_str() {
            // It is said already.
            Some("--seed") => drop(typed.next()),
            Some("--") => {
                out.push(word);
                break;
            }
            Some(_) | None => out.push(word),
        }
    }
    out.extend(typed);
    out
}

/// The names of the API, which lead to the practice API.
fn names(agent: &Agent) -> Vec<Host> {
    let url =
        agent.gateway.as_ref().and_then(|layout| layout.url.strip_prefix("https://")?.split('/').next());
    let mut names: Vec<Host> =
        agent.api_hosts.iter().map(String::as_str).chain(url).filter_map(|name| name.parse().ok()).collect();
    names.sort();
    names.dedup();
    names
}

fn random() -> Result<String, Error> {
    let mut seed = [0_u8; 16];
    getrandom::fill(&mut seed).map_err(|error| Error::Practice(error.to_string()))?;
    Ok(seed.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn bytes_of(seed: &str) -> Result<[u8; 16], Error> {
    let number = u128::from_str_radix(seed, 16);
    number.map(u128::to_be_bytes).map_err(|error| Error::Practice(format!("the seed: {error}")))
}

fn practice<T, E: std::fmt::Display>(made: Result<T, E>) -> Result<T, Error> {
    made.map_err(|error| Error::Practice(error.to_string()))
}

/// The test itself, in the private network.
fn test(command: &LeaktestCommand, root: &Utf8Path, printer: &Printer) -> Result<u8, Error> {
    let stage = Stage::at(root);
    let seed = command.seed.as_deref().unwrap_or_default();
    let canaries = Canaries::of(&practice(FakeApi::builder().seed(bytes_of(seed)?).start())?);
    let mark = coffer_host::variable(MARK).unwrap_or_default();
    let mark = String::from_utf8_lossy(&mark).into_owned();
    let mut secrets = canaries.secrets();
    secrets.push(Secret::new("mark", &mark));
    let patterns = Arc::new(Patterns::of(&secrets).map_err(failed("making the search"))?);
    let (tell, events) = mpsc::channel();
    let requests = Arc::new(Mutex::new(Searcher::new(&patterns)));
    let words = Arc::default();
    let api = api(&stage, seed, (Arc::clone(&requests), Arc::clone(&words)), tell.clone())?;
    // The same as before: they are the API's now, too.
    drop(Canaries::of(&api));
    let gate = Gate::new();
    api.script(Rule::times(CALL, Fault::Hold(gate.clone()), u32::MAX));

    let (flags, agent) = flags(command, &stage)?;
    let note = stage.note()?;
    stage.add_account(&note, &agent, &canaries)?;
    let upstream = names(&agent).into_iter().map(|name| (name, SocketAddr::from((Ipv4Addr::LOCALHOST, 443))));
    let tested = Tested { upstream: upstream.collect(), ca: stage.ca() };
    let prepared = prepare_tested(&flags, tested)?;
    if printer.is_verbose() {
        printer.tell(&audit::audit(&prepared.plan, printer.style()));
    }
    let launch = lower(&prepared)?;
    let session = Session {
        coffer: &prepared.facts.coffer,
        launch: &launch,
        patterns: &patterns,
        is_agent: prepared.policy.runs_agent,
        gate: &gate,
        events,
        tell,
    };
    let seen = session.run()?;
    let empty = Searcher::new(&patterns);
    let requests =
        std::mem::replace(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner), empty).finish();
    let rules = Rules::of(&prepared.plan, &agent);
    let sides = [
        (From::Inside, &seen.inside),
        (From::Outside, &seen.outside),
        (From::Boundary, &seen.boundary),
        (From::Api, &requests),
    ];
    let verdict = judge::judge(&rules, &secrets, &sides);
    let words = words.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let about = report::About {
        prepared: &prepared,
        note: &note,
        secrets: &secrets,
        api: &api.requests(),
        patterns: &patterns,
        words,
    };
    let document = report::document(&about, &seen, &requests, verdict);
    if command.json {
        printer.json(&document)?;
    } else {
        printer.data(&report::text(&document, note.stand_ins))?;
    }
    Ok(if document.well { 0 } else { NO })
}

/// Fingerprints of the words of runs that the API was shown.
type Words = Arc<Mutex<BTreeSet<String>>>;

/// The practice API, under the names of the real one; each request is searched.
fn api(
    stage: &Stage,
    seed: &str,
    (requests, words): (Arc<Mutex<Searcher>>, Words),
    tell: mpsc::Sender<Event>,
) -> Result<FakeApi, Error> {
    let tap = Tap::new(move |place, bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(at) = text.find(WORD).filter(|_| place.starts_with("header ")) {
            let word = text.get(at..).unwrap_or_default();
            words.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint(word));
        }
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        // Memory takes whatever comes.
        let _ = requests.whole(&Place::of(Kind::Request, place), bytes);
        if place == "target" && text.contains(CALL) {
            // Whoever listened may have gone.
            let _ = tell.send(Event::Asked);
        }
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
    let builder = FakeApi::builder().seed(bytes_of(seed)?).tls(address).tap(tap);
    practice(builder.ca_out(stage.ca().as_std_path()).start())
}

/// The user's flags with what the test adds, and the agent that they name.
fn flags(command: &LeaktestCommand, stage: &Stage) -> Result<(Flags, Agent), Error> {
    let mut flags = command.flags.layer(None);
    let gathered = gather(&flags, None)?;
    let agent = gathered.inputs.agent;
    if command.flags.command.is_empty() {
        match (&gathered.facts.agent, &agent.probe) {
            (Some(_), Some(probe)) => flags.agent_args.clone_from(&probe.args),
            (Some(_), None) => {}
            (None, _) => flags.command = Some(Vec::new()),
        }
    }
    flags.settings.mounts.push(MountSpec {
        source: PathTemplate(stage.ca().into_string()),
        target: Some(PathTemplate(CA_INSIDE.to_owned())),
        access: Access::Ro,
        optional: false,
    });
    flags.settings.env.pass.push(MARK.to_owned());
    flags.settings.env.set.insert(CA_VARIABLE.to_owned(), CA_INSIDE.to_owned());
    Ok((flags, agent))
}
