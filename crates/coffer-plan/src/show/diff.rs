//! What changed since another plan, in terms of what the agent gets. Times, inode numbers and the
//! command's own arguments are no difference.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

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
    /// Mounts cover each other, so they are not compared one by one.
    is_mount: bool,
}

/// Compares the plan of an earlier run with this one.
pub fn difference(earlier: &Value, now: &Value) -> Difference {
    let (before, after) = (grants(earlier), grants(now));
    let mut out = Difference { grown: mounts_have_grown(earlier, now), ..Difference::default() };
    for (key, grant) in &after {
        match before.get(key) {
            None => {
                out.added.push(format!("{key} {}", grant.shown));
                out.grown |= !grant.is_mount;
            }
            Some(old) if old != grant => {
                out.changed.push(format!("{key} {} -> {}", old.shown, grant.shown));
                let from_elsewhere = !grant.from.is_empty() && grant.from != old.from;
                out.grown |= !grant.is_mount && (grant.rank > old.rank || from_elsewhere);
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
    let mut grant = |key: String, rank: u8, from: &str, shown: &str| {
        let is_mount = key.starts_with("mount ");
        out.insert(key, Grant { rank, from: from.to_owned(), shown: shown.to_owned(), is_mount });
    };
    for entry in list(plan, "environment") {
        let (reference, class) = (text(entry, "ref"), text(entry, "class"));
        // Public variables of the host (TERM, NO_COLOR …) differ from one terminal to the next and give nothing.
        if class == "host" && reference.is_empty() {
            continue;
        }
        let from = match class {
            _ if !reference.is_empty() => reference,
            "extra" => text(entry, "value"),
            _ => "",
        };
        let rank = if class == "sandbox" { 1 } else { 2 };
        grant(format!("env {}", text(entry, "name")), rank, from, from);
    }
    for mount in list(plan, "mounts") {
        let (rank, from, shown) = mount_grant(mount);
        grant(format!("mount {}", text(mount, "target")), rank, from, &shown);
    }
    let network = plan.get("network").unwrap_or(&Value::Null);
    let tier = text(network, "tier");
    let rank =
        ["", "none", "agent", "dev", "learn", "full"].iter().position(|word| *word == tier).unwrap_or(0);
    grant("network".to_owned(), u8::try_from(rank).unwrap_or(0), "", tier);
    for allowed in list(network, "allow") {
        let port = allowed.get("port").map(Value::to_string).unwrap_or_default();
        grant(format!("host {}:{port}", text(allowed, "host")), 1, "", "");
    }
    let login = text(plan.get("credential").unwrap_or(&Value::Null), "ref");
    grant("login".to_owned(), 1 + u8::from(!login.is_empty()), login, login);
    let identity = plan.get("identity").unwrap_or(&Value::Null);
    let uid = identity.get("uid").map(Value::to_string).unwrap_or_default();
    grant("uid".to_owned(), 1 + u8::from(uid == "0"), "", &uid);
    out
}

/// Whether some place shows more, or something else, than before: a mount that is taken away may uncover
/// what it made read-only or hid.
fn mounts_have_grown(earlier: &Value, now: &Value) -> bool {
    let targets = list(earlier, "mounts").chain(list(now, "mounts")).map(|mount| text(mount, "target"));
    let mut grew = targets.map(|target| (at(earlier, target), at(now, target)));
    grew.any(|((old_rank, old_from), (rank, from))| rank > old_rank || (from != "" && from != old_from))
}

/// What a place shows: how much, and which path of the host.
fn at(plan: &Value, place: &str) -> (u8, Utf8PathBuf) {
    let covers = |mount: &&Value| Utf8Path::new(place).starts_with(text(mount, "target"));
    let Some(mount) = list(plan, "mounts").filter(covers).last() else { return (0, Utf8PathBuf::new()) };
    let (rank, from, _) = mount_grant(mount);
    match Utf8Path::new(place).strip_prefix(text(mount, "target")) {
        Ok(below) if !from.is_empty() && below != "" => (rank, Utf8Path::new(from).join(below)),
        Ok(_) | Err(_) => (rank, from.into()),
    }
}

/// How much a mount gives (nothing: hidden; reading; writing), from where, and that in words.
fn mount_grant(mount: &Value) -> (u8, &str, String) {
    let op = text(mount, "op");
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
        _ => (1, "", op.to_owned()),
    }
}
