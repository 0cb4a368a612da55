//! What is told of a test: the document, and the same for people.

use std::collections::{BTreeMap, BTreeSet};

use coffer_plan::plan::Plan;
use coffer_plan::show::audit::printable;
use coffer_testkit::RequestRecord;

use super::document::{Api, Canary, Client, Counts, Document, Found, From, Left, Searched, Shown};
use super::judge::Verdict;
use super::search::{self, FORMS, Patterns, Secret};
use super::session::Seen;
use super::stage::Note;
use crate::prepare::Prepared;
use crate::sight::Kind;

/// What the test was about.
pub(crate) struct About<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) note: &'a Note,
    /// The last one is the mark.
    pub(crate) secrets: &'a [Secret],
    pub(crate) api: &'a [RequestRecord],
    /// What no report may say.
    pub(crate) patterns: &'a Patterns,
    /// Fingerprints of what is a word of the run.
    pub(crate) words: BTreeSet<String>,
}

pub(crate) fn document(
    about: &About<'_>,
    seen: &Seen,
    requests: &search::Searched,
    verdict: Verdict,
) -> Document {
    let prepared = about.prepared;
    let plan: &Plan = &prepared.plan;
    let (_, canaries) = about.secrets.split_last().unzip();
    let canaries: &[Secret] = canaries.unwrap_or_default();
    let client = &seen.client;
    let is_agent = prepared.policy.runs_agent;
    let version = prepared.facts.agent.as_ref().filter(|_| is_agent).and_then(|agent| agent.version.clone());
    let mut left_out: BTreeSet<Left> = BTreeSet::new();
    for (from, searched) in [(From::Inside, &seen.inside), (From::Outside, &seen.outside)] {
        left_out.extend(searched.left_out.keys().map(|left| Left {
            seen_from: from,
            what: about.patterns.concealed(&left.what),
            why: left.why.clone(),
        }));
    }
    if let Some(why) = &client.not_started {
        let what = "the command, which was not started".to_owned();
        left_out.insert(Left { seen_from: From::Inside, what, why: why.clone() });
    }
    let Verdict { mut exposed, mut leaks, control } = verdict;
    for found in exposed.iter_mut().chain(&mut leaks) {
        found.name = about.patterns.concealed(&found.name);
        found.processes.iter_mut().for_each(|name| *name = about.patterns.concealed(name));
    }
    Document {
        schema: 1,
        well: leaks.is_empty() && control.is_found() && client.not_started.is_none(),
        project: prepared.facts.project.path.to_string(),
        account: plan.credential.account.clone(),
        kinds: about.note.kinds.iter().map(ToString::to_string).collect(),
        winner: plan.sign_in.winner.clone(),
        auth: plan.credential.mode.to_string(),
        network: plan.network.tier.to_string(),
        client: Client {
            command: prepared.tested_command().iter().map(|word| about.patterns.concealed(word)).collect(),
            is_agent,
            version,
            code: client.code,
            caught_asking: client.caught_asking,
        },
        canaries: canaries
            .iter()
            .map(|secret| Canary {
                what: secret.what.to_owned(),
                fingerprint: secret.fingerprint(),
                length: secret.bytes.len() as u64,
            })
            .collect(),
        forms: FORMS.map(str::to_owned).to_vec(),
        searched: Searched {
            inside: seen.inside.counts.clone(),
            outside: seen.outside.counts.clone(),
            boundary: seen.boundary.counts.clone(),
            missed_segments: seen.missed,
            requests: requests.counts.clone(),
        },
        left_out: left_out.into_iter().collect(),
        control,
        api: api(about, canaries),
        exposed,
        leaks,
    }
}

fn api(about: &About<'_>, canaries: &[Secret]) -> Api {
    let records = about.api;
    let words = about.words.iter().map(|word| (format!("sha256:{word}"), "word of the run"));
    let known: BTreeMap<String, &str> =
        canaries.iter().map(|secret| (secret.fingerprint(), secret.what)).chain(words).collect();
    let shown = records.iter().flat_map(|record| &record.credentials).map(|seen| {
        let fingerprint = format!("sha256:{}", seen.fingerprint);
        let what = known.get(&fingerprint).map(|what| (*what).to_owned());
        Shown { place: seen.place.clone(), fingerprint, what }
    });
    let shown: BTreeSet<Shown> = shown.collect();
    let answered = records.iter().filter(|record| record.path == super::CALL && record.status == Some(200));
    Api {
        requests: records.len() as u64,
        answered: answered.count() as u64,
        credentials: shown.into_iter().collect(),
    }
}

/// For people.
pub(crate) fn text(document: &Document, stand_ins: usize) -> String {
    let mut lines = vec![
        format!("Leak test in {}", document.project),
        format!(
            "  account {}, auth {}, network {}, canaries for: {}",
            document.account,
            document.auth,
            document.network,
            document.kinds.join(", ")
        ),
        client(&document.client),
    ];
    if stand_ins > 0 {
        lines.push(format!("  {stand_ins} other secrets of your environment are replaced by a word"));
    }
    lines.push("Looked for".to_owned());
    for Canary { what, fingerprint, length } in &document.canaries {
        lines.push(format!("  {what} {fingerprint}, {length} bytes"));
    }
    lines.push(format!("  each whole and in parts, {}", document.forms.join(", ")));
    lines.push("Searched".to_owned());
    let Searched { inside, outside, boundary, missed_segments, requests } = &document.searched;
    for (side, counts) in [
        ("inside", inside),
        ("outside", outside),
        ("traffic of the sandbox", boundary),
        ("requests to the API", requests),
    ] {
        lines.push(format!("  {side}: {}", counted(counts)));
    }
    if *missed_segments > 0 {
        lines.push(format!("! {missed_segments} segments of the traffic were missed"));
    }
    lines.push("Left out".to_owned());
    lines.extend(left_out(&document.left_out));
    lines.push(format!("The API answered {} of {} requests", document.api.answered, document.api.requests));
    for Shown { place, fingerprint, what } in &document.api.credentials {
        let what = what.as_deref().unwrap_or("no canary");
        lines.push(format!("  {place}: {what} {fingerprint}"));
    }
    let control = document.control;
    for (place, found) in [
        ("a variable", control.variable),
        ("memory", control.memory),
        ("a file", control.file),
        ("the traffic", control.connection),
    ] {
        if !found {
            lines.push(format!("! the mark in {place} was not found: this search proves nothing"));
        }
    }
    for (title, all) in
        [("Exposed, as this auth mode has it", &document.exposed), ("LEAKED", &document.leaks)]
    {
        if !all.is_empty() {
            lines.push(title.to_owned());
            lines.extend(all.iter().map(found));
        }
    }
    lines.push(verdict(document));
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn verdict(document: &Document) -> String {
    if !document.leaks.is_empty() {
        return "Result: a leak".to_owned();
    }
    if !document.well {
        return "Result: not proven".to_owned();
    }
    let result = if document.exposed.is_empty() {
        "no byte of the credential is in the sandbox"
    } else {
        "of the credential only what is listed above is in the sandbox"
    };
    format!("Result: clean; {result}")
}

fn client(client: &Client) -> String {
    let Client { command, is_agent, version, code, caught_asking } = client;
    if command.is_empty() {
        return "  no command: the agent is not installed, and the searching program was alone".to_owned();
    }
    let version = version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let who = if *is_agent { format!("the agent{version}") } else { "a command".to_owned() };
    let end = code.map_or("it was ended".to_owned(), |code| format!("it ended with {code}"));
    let asked = if *caught_asking { ", searched while it waited for an answer" } else { "" };
    format!("  {who} `{}`{asked}; {end}", command.join(" "))
}

/// Numbers and names, without those that are none.
fn counted(counts: &Counts) -> String {
    let all = [
        (counts.processes, "processes"),
        (counts.variables, "variables"),
        (counts.command_lines, "command lines"),
        (counts.process_texts, "other texts of processes"),
        (counts.memory_regions, "memory regions"),
        (counts.descriptors, "descriptors"),
        (counts.files, "files"),
        (counts.folders, "folders"),
        (counts.connections, "directions of connections"),
    ];
    let mut words: Vec<String> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    words.push(indicatif::HumanBytes(counts.bytes).to_string());
    words.join(", ")
}

fn left_out(all: &[Left]) -> Vec<String> {
    let mut by_reason: BTreeMap<(From, &str), Vec<&str>> = BTreeMap::new();
    for left in all {
        by_reason.entry((left.seen_from, &left.why)).or_default().push(&left.what);
    }
    let line = |((from, why), what): ((From, &str), Vec<&str>)| {
        let side = if from == From::Inside { "inside" } else { "outside" };
        let more = what.len().saturating_sub(6);
        let named: Vec<&str> = what.into_iter().take(6).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("  {side}: {}{more}: {why}", named.join(", "))
    };
    by_reason.into_iter().map(line).collect()
}

fn found(found: &Found) -> String {
    let Found { what, fingerprint, length, forms, whole, seen_from, kind, name, processes, places } = found;
    let whole = if *whole { "" } else { "a part of " };
    let side = match seen_from {
        From::Inside => "inside",
        From::Outside => "seen from outside",
        From::Boundary => "in the traffic",
        From::Api => "at the API",
    };
    let place = match kind {
        Kind::Variable => format!("variable `{name}`"),
        Kind::CommandLine => "a command line".to_owned(),
        Kind::Process | Kind::Output | Kind::Memory => name.clone(),
        Kind::Descriptor => format!("open file `{name}`"),
        Kind::File => format!("file `{name}`"),
        Kind::Names => format!("names in `{name}`"),
        Kind::Connection => format!("connection {name}"),
        Kind::Request => format!("request, {name}"),
    };
    let of = if processes.is_empty() || *kind == Kind::Memory {
        String::new()
    } else {
        format!(" of {}", processes.join(", "))
    };
    let times = if *places > 1 { format!(", {places} places") } else { String::new() };
    format!(
        "  {whole}{what} {fingerprint} ({length} bytes), {}: {side}, {place}{of}{times}",
        forms.join(" and ")
    )
}
