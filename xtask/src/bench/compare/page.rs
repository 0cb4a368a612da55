//! docs/compare.md.

use std::collections::BTreeMap;

use cofferdam::comparison::{Compared, Row};

use super::counts::{Came, Column, Counts, HEAD};
use super::{Peer, Tool};

const START: &str = "# Compared with other sandboxes

Written by `./x compare` from [bench/compare.toml](../bench/compare.toml), which says how each sandbox is started and why.

The attacks of [the table](reference/attacks.md) were made in each of these sandboxes, by the same probe, on the same machine, one after the other. Each sandbox had a stage of its own: a home, a project, other processes, sockets and services that are made up, in a machine of namespaces whose network has nothing but what listens there ([the threat model](threat-model.md) says more). An ordinary user attacked. In the place of the agent each sandbox started the probe, which is called `claude` and lies where the genuine one does, so that what a sandbox does for that agent by default was done. What the host saw of an attack counts for more than what the probe said.

- **blocked**: refused, or it found nothing; **private**: it succeeded on something that is the sandbox's own, such as an empty `/tmp`.
- **granted**: it succeeded, and the sandbox says so: for `coffer` an entry of the plan, for the others their documentation or the line that was typed. What is granted is named.
- **allowed**: it succeeded by the sandbox's defaults, and nothing of the kind was found. It may be meant all the same; flags that would close it, or open more, were not given.
- **unproven**: it does not succeed without a sandbox either on this machine, so nothing is shown; **untried**: the probe uses up memory and processes only where it knows of a limit.

The attacks are Cofferdam's own choice, and were collected with its own design in mind; another choice would weigh differently. Other sandboxes have other aims, run on systems on which Cofferdam does not, and have flags that close much of what is listed here. How long a start takes was not measured here.
";

const OWN: &str = "\n## Parts that only Cofferdam has\n
Its gateway, its leases and other runs of it. No other sandbox has them, and none was attacked in them.\n";

/// The whole page.
pub(super) fn write(
    peers: &[Peer],
    tools: &[Tool],
    compared: &Compared,
    about: &[(&'static str, String)],
) -> String {
    let measured: Vec<&Peer> = peers.iter().filter(|peer| not_measured(peer, compared).is_none()).collect();
    let columns: Vec<Column> = std::iter::once(Column::of_ours())
        .chain(measured.iter().filter_map(|peer| {
            let outcome = compared.peers.iter().find(|outcome| outcome.name == peer.name)?;
            Some(Column::of_peer(peer, outcome))
        }))
        .collect();
    let mut page = START.to_owned();
    page.push_str("\n## The machine\n\n");
    for (name, value) in about {
        page.push_str(&format!("- {name}: {value}\n"));
    }
    page.push_str("\n## The sandboxes\n\n");
    page.push_str(
        "- **coffer**: `coffer run` with its defaults: the network tier `dev`, the auth mode `lease`.\n",
    );
    for peer in peers {
        page.push_str(&described(peer, tools, compared));
    }
    let (own, shared): (Vec<&Row>, Vec<&Row>) = compared.attacks.iter().partition(|row| row.on_own_parts);
    page.push_str(&format!("\n## All {} attacks\n\n", shared.len()));
    page.push_str(&format!(
        "Without {} more on parts that only Cofferdam has, which come last.\n\n",
        own.len()
    ));
    page.push_str(&table(&columns, &shared));
    for (class, rows) in by_class(&shared) {
        page.push_str(&section(class, &rows, &columns));
    }
    page.push_str(OWN);
    let ours = std::slice::from_ref(&columns[0]);
    for (class, rows) in by_class(&own) {
        page.push_str(&section(class, &rows, ours));
    }
    page
}

/// Why a sandbox has no column.
fn not_measured<'a>(peer: &Peer, compared: &'a Compared) -> Option<&'a str> {
    match compared.peers.iter().find(|outcome| outcome.name == peer.name) {
        Some(outcome) => outcome.failed.as_deref(),
        None => Some("it was not installed"),
    }
}

fn described(peer: &Peer, tools: &[Tool], compared: &Compared) -> String {
    let version = tools.iter().find(|tool| peer.tool.as_ref() == Some(&tool.id)).map(|tool| &tool.version);
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let words: Vec<String> = peer.words.iter().map(|word| typed(word)).collect();
    let mut text =
        format!("- **{}**{version}: `{} {}`. {}", peer.name, peer.program, words.join(" "), peer.line);
    for (path, contents) in &peer.files {
        text.push_str(&format!(" `{}` says `{contents}`.", typed(path)));
    }
    if let Some(why) = not_measured(peer, compared) {
        // What a sandbox says of itself may be coloured, and stand on several lines.
        let why = anstream::adapter::strip_str(why).to_string();
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!(" **Not measured**: {why}."));
    }
    text.push('\n');
    text
}

/// A word as somebody would type it.
fn typed(word: &str) -> String {
    word.replace("${home}", "~").replace("${project}", "PROJECT").replace("${agent}", "claude")
}

/// In the order of the table of attacks.
fn by_class<'a>(rows: &[&'a Row]) -> Vec<(&'a str, Vec<&'a Row>)> {
    let mut classes: Vec<(&str, Vec<&Row>)> = Vec::new();
    for &row in rows {
        match classes.iter_mut().find(|(class, _)| *class == row.class) {
            Some((_, found)) => found.push(row),
            None => classes.push((&row.class, vec![row])),
        }
    }
    classes
}

fn table(columns: &[Column], rows: &[&Row]) -> String {
    let counted = |column: &Column| Counts::of(column, rows.iter().copied()).row(column.name);
    format!("{HEAD}{}", columns.iter().map(counted).collect::<String>())
}

fn section(class: &str, rows: &[&Row], columns: &[Column]) -> String {
    let mut text = format!("\n### {class}: {} attacks\n\n{}", rows.len(), table(columns, rows));
    let lists: String = columns.iter().map(|column| succeeded(column, rows)).collect();
    if !lists.is_empty() {
        text.push_str(&format!("\n{lists}"));
    }
    let unproven = names(rows.iter().filter(|row| !row.proven).map(|row| row.name.as_str()));
    if !unproven.is_empty() {
        text.push_str(&format!("\nThese do not succeed without a sandbox: {unproven}.\n"));
    }
    text
}

/// What succeeded in a sandbox: by each grant, and without one.
fn succeeded(column: &Column, rows: &[&Row]) -> String {
    let mut granted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut allowed = Vec::new();
    for row in rows {
        match column.judge(row) {
            Came::Granted(by) => granted.entry(by).or_default().push(&row.name),
            Came::Allowed => allowed.push(row.name.as_str()),
            Came::Blocked | Came::Private | Came::Unproven | Came::Untried => {}
        }
    }
    let mut parts: Vec<String> = granted
        .iter()
        .map(|(by, found)| format!("granted by {by}: {}", names(found.iter().copied())))
        .collect();
    if !allowed.is_empty() {
        parts.push(format!("allowed by its defaults: {}", names(allowed.into_iter())));
    }
    if parts.is_empty() { String::new() } else { format!("- **{}**: {}.\n", column.name, parts.join("; ")) }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}
