//! What changed since another plan, in terms of what the agent gets. Times, inode numbers and the
//! command's own arguments are no difference. What a flag asks for is the word of the person who runs it
//! now, so it is a difference but no growth that they would have to be asked about.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::deferred::DEFERRED;
use crate::derive::WAY_OUT;
use crate::path::is_within;

mod limits;
#[cfg(test)]
mod tests;

/// The difference of two plans, both as their JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Difference {
    /// What the agent gets that it did not get before.
    pub added: Vec<String>,
    /// What it does not get any more.
    pub removed: Vec<String>,
    /// What it gets in another way.
    pub changed: Vec<String>,
    /// Whether the agent gets more than before.
    pub grown: bool,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// One thing that a plan grants: how much, and the rest that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    rank: u8,
    /// From where it comes; another one means that the agent gets something else. Empty where that does
    /// not matter.
    from: String,
    /// In words.
    shown: String,
    /// Whether it is compared here; mounts cover each other, so they are compared place by place, and limits by
    /// their amounts.
    counts: bool,
}

/// Compares the plan of an earlier run with this one.
pub fn difference(earlier: &Value, now: &Value) -> Difference {
    if earlier == now {
        return Difference::default();
    }
    let (before, after) = (grants(earlier), grants(now));
    // A host on a list is nothing new where everybody could be reached.
    let tier = earlier.get("network").map(|network| text(network, "tier"));
    let everybody = tier.is_some_and(|tier| ["learn", "full"].contains(&tier));
    let grown = mounts_have_grown(earlier, now) || limits::have_grown(earlier, now);
    let mut out = Difference { grown, ..Difference::default() };
    for (key, grant) in &after {
        match before.get(key) {
            None => {
                out.added.push(format!("{key} {}", grant.shown));
                out.grown |= grant.counts && !(everybody && key.starts_with("host "));
            }
            Some(old) if old != grant => {
                out.changed.push(format!("{key} {} -> {}", old.shown, grant.shown));
                let from_elsewhere = !grant.from.is_empty() && grant.from != old.from;
                out.grown |= grant.counts && (grant.rank > old.rank || from_elsewhere);
            }
            Some(_) => {}
        }
    }
    for (key, grant) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        out.removed.push(format!("{key} {}", grant.shown));
    }
    out
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(plan: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    plan.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn grants(plan: &Value) -> BTreeMap<String, Grant> {
    let mut out = BTreeMap::new();
    let mut grant = |key: String, rank: u8, from: &str, shown: &str, decided: &Value| {
        let apart = ["mount ", "limit "].iter().any(|kind| key.starts_with(kind));
        let counts = !apart && !is_no_news(decided);
        out.insert(key, Grant { rank, from: from.to_owned(), shown: shown.to_owned(), counts });
    };
    for entry in list(plan, "environment") {
        let (reference, class) = (text(entry, "ref"), text(entry, "class"));
        // Public variables of the host (TERM, NO_COLOR …) differ from one terminal to the next and give nothing.
        if class == "host" && reference.is_empty() {
            continue;
        }
        // The label says what may be said of the value: an endpoint's host, for one.
        let labelled = format!("{reference} {}", text(entry, "label"));
        let from = match class {
            _ if !reference.is_empty() => labelled.as_str(),
            "extra" => text(entry, "value"),
            _ => "",
        };
        let rank = if class == "sandbox" { 1 } else { 2 };
        grant(format!("env {}", text(entry, "name")), rank, from, from, entry);
    }
    for mount in list(plan, "mounts") {
        let (rank, from, shown) = mount_grant(mount);
        grant(format!("mount {}", text(mount, "target")), rank, from, &shown, mount);
    }
    let network = plan.get("network").unwrap_or(&Value::Null);
    let tier = text(network, "tier");
    let rank =
        ["", "none", "agent", "dev", "learn", "full"].iter().position(|word| *word == tier).unwrap_or(0);
    grant("network".to_owned(), u8::try_from(rank).unwrap_or(0), "", tier, network);
    for allowed in list(network, "allow") {
        let port = allowed.get("port").map(Value::to_string).unwrap_or_default();
        let ranges = text(allowed, "ranges");
        let rank = ["public", "private", "any"].iter().position(|word| *word == ranges).unwrap_or(0);
        let rank = 1 + u8::try_from(rank).unwrap_or(0);
        grant(format!("host {}:{port}", text(allowed, "host")), rank, "", ranges, allowed);
    }
    for other in list(network, "upstream") {
        let address = text(other, "address");
        grant(format!("host {} means", text(other, "host")), 1, address, address, other);
    }
    for service in list(network, "forward") {
        let port = service.get("port").map(Value::to_string).unwrap_or_default();
        grant(format!("forward {port}{}", text(service, "socket")), 1, "", "", service);
    }
    for service in list(network, "publish") {
        let number = |key| service.get(key).map(Value::to_string).unwrap_or_default();
        grant(format!("publish {}:{}", number("host_port"), number("port")), 1, "", "", service);
    }
    if network.get("ca_file").is_some() {
        let file = text(network, "ca_file");
        grant("certificate authorities".to_owned(), 1, file, file, network);
    }
    for agent in list(plan, "key_agents") {
        let confirmed =
            if agent.get("confirm").is_some_and(|confirm| !confirm.is_null()) { "asked" } else { "" };
        for key in list(agent, "keys") {
            let rank = 1 + u8::from(confirmed.is_empty()) + 2 * u8::from(key.get("decrypt").is_some());
            let name = format!("key {} {}", text(agent, "agent"), text(key, "fingerprint"));
            grant(name, rank, "", &format!("{} {confirmed}", text(key, "label")), agent);
        }
    }
    let credential = plan.get("credential").unwrap_or(&Value::Null);
    let (login, file) = (text(credential, "ref"), text(credential, "file"));
    if text(credential, "mode") == "shared" {
        grant("login".to_owned(), 3, file, &format!("shared {file}"), credential);
    } else {
        grant("login".to_owned(), 1 + u8::from(!login.is_empty()), login, login, credential);
    }
    if let Some(injection) = credential.get("injection") {
        let upstream = text(injection, "upstream");
        grant("gateway".to_owned(), 1, upstream, upstream, credential);
    }
    let command = plan.get("command").unwrap_or(&Value::Null);
    if command.get("unattended") == Some(&Value::Bool(true)) {
        grant("unattended".to_owned(), 1, "", "the agent skips its own questions", command);
    }
    for seed in list(plan.get("state").unwrap_or(&Value::Null), "seeds") {
        let content = format!("{}{}", text(seed, "text"), text(seed, "ref"));
        grant(format!("seed {} {content}", text(seed, "file")), 1, "", "", seed);
    }
    let backend = plan.get("backend").unwrap_or(&Value::Null);
    grant("backend".to_owned(), 1, text(backend, "kind"), text(backend, "kind"), backend);
    let hardening = plan.get("hardening").unwrap_or(&Value::Null);
    for weaker in weakenings(hardening) {
        grant(weaker, 1, "", "", hardening);
    }
    let nesting = hardening.get("nesting").unwrap_or(&Value::Null);
    if nesting.get("allowed") == Some(&Value::Bool(true)) {
        grant("sandboxes inside".to_owned(), 1, "", "namespaces and mounts may be made", nesting);
    }
    for (open, decided) in second_wall(hardening, nesting) {
        grant(open, 1, "", "", decided);
    }
    for (name, shown, decided) in limits::grants(plan) {
        // How much more it is than before is compared apart.
        grant(name, 1, "", &shown, decided);
    }
    let identity = plan.get("identity").unwrap_or(&Value::Null);
    let uid = identity.get("uid").map(Value::to_string).unwrap_or_default();
    grant("uid".to_owned(), 1 + u8::from(uid == "0"), "", &uid, identity);
    out
}

/// What the hardening leaves open; the network's namespace is told by its tier.
fn weakenings(hardening: &Value) -> Vec<String> {
    let names = |key| list(hardening, key).filter_map(Value::as_str).collect::<Vec<_>>();
    let (own, mut out) = (names("namespaces"), Vec::new());
    let all = ["user", "mount", "pid", "ipc", "uts", "cgroup"];
    out.extend(
        all.iter().filter(|name| !own.contains(name)).map(|name| format!("the host's {name} namespace")),
    );
    out.extend(names("capabilities").iter().map(|name| format!("capability {name}")));
    let switches = ["no_new_privileges", "read_only_root", "die_with_parent"];
    let off = switches.iter().filter(|key| hardening.get(**key) != Some(&Value::Bool(true)));
    out.extend(off.map(|key| format!("without {key}")));
    out
}

/// What Landlock leaves open; a plan of a time before it says nothing.
fn second_wall<'a>(hardening: &'a Value, nesting: &'a Value) -> Vec<(String, &'a Value)> {
    let Some(landlock) = hardening.get("landlock") else { return Vec::new() };
    let mut out = Vec::new();
    if landlock.get("files") != Some(&Value::Bool(true)) {
        out.push(("files without Landlock".to_owned(), nesting));
    }
    let closed: Vec<&str> = list(landlock, "scopes").filter_map(Value::as_str).collect();
    let open = ["abstract_sockets", "signals"].into_iter().filter(|scope| !closed.contains(scope));
    out.extend(open.map(|scope| (format!("{scope} without Landlock"), hardening)));
    out
}

/// Whether some place shows more, or something else, than before: a mount that is taken away may uncover
/// what it made read-only or hid.
fn mounts_have_grown(earlier: &Value, now: &Value) -> bool {
    let targets = granting(earlier).chain(granting(now)).map(|mount| text(mount, "target"));
    let mut grew = targets.map(|target| (at(earlier, target), at(now, target)));
    grew.any(|(old, new)| {
        !new.is_no_news && (new.rank > old.rank || (new.from != "" && new.from != old.from))
    })
}

/// The mounts that give something. What is kept from the agent comes and goes with the project's own files: that a
/// file is gone which was read-only is no growth, and opening a path is a person's word.
fn granting(plan: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    let all = plan.get("mounts").and_then(Value::as_array).into_iter().flatten();
    all.filter(|mount| !text(mount.get("origin").unwrap_or(&Value::Null), "name").contains(DEFERRED))
}

/// Whether a flag decided it, it is a file of the system that every sandbox may show, or it follows from the tier.
fn is_no_news(decided: &Value) -> bool {
    let origin = decided.get("origin").unwrap_or(&Value::Null);
    text(origin, "layer") == "flag" || ["etc allowlist", WAY_OUT].contains(&text(origin, "name"))
}

/// What a place shows.
#[derive(Default)]
struct Place {
    /// How much.
    rank: u8,
    /// Which path of the host.
    from: Utf8PathBuf,
    /// Whether it is no growth, however much it shows.
    is_no_news: bool,
}

/// What a place shows: the last operation on or around it.
fn at(plan: &Value, place: &str) -> Place {
    let covers = |mount: &&Value| is_within(Utf8Path::new(place), Utf8Path::new(text(mount, "target")));
    let covering = granting(plan).rev().find(covers);
    let Some(mount) = covering else { return Place::default() };
    let (rank, from, _) = mount_grant(mount);
    let from = match Utf8Path::new(place).strip_prefix(text(mount, "target")) {
        Ok(below) if !from.is_empty() && below != "" => Utf8Path::new(from).join(below),
        Ok(_) | Err(_) => from.into(),
    };
    Place { rank, from, is_no_news: is_no_news(mount) }
}

/// How much a mount gives of the host (nothing, reading, writing), from where, and what it is in words.
fn mount_grant(mount: &Value) -> (u8, &str, String) {
    let (op, reference) = (text(mount, "op"), text(mount, "ref"));
    match op {
        "mask" => (0, "", "hidden".to_owned()),
        "bind" => {
            let source = mount.get("source").unwrap_or(&Value::Null);
            let access = text(mount, "access");
            let rank = if access == "rw" { 2 } else { 1 };
            match text(source, "path") {
                // A folder of the run begins empty.
                "" => (rank, "", format!("{access} {} of the run", text(source, "folder"))),
                path => (rank, path, format!("{access} {path}")),
            }
        }
        "overlay" => {
            let path = mount.get("source").map_or("", |source| text(source, "path"));
            (1, path, format!("a working copy of {path}"))
        }
        // Made of public text, or empty: there is nothing of the host in it.
        _ if reference.is_empty() => (0, "", op.to_owned()),
        _ => (1, reference, format!("{op} {reference}")),
    }
}
