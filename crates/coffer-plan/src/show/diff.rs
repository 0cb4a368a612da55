//! What changed since another plan, in terms of what the agent gets. Times, inode numbers and the
//! command's own arguments are no difference.

use std::collections::BTreeMap;

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
    detail: String,
    /// Whether another detail means that the agent gets something else.
    detail_matters: bool,
}

/// Compares the plan of an earlier run with this one.
pub fn difference(earlier: &Value, now: &Value) -> Difference {
    let (before, after) = (grants(earlier), grants(now));
    let mut out = Difference::default();
    for (key, grant) in &after {
        match before.get(key) {
            None => {
                out.added.push(format!("{key} {}", grant.detail));
                out.grown |= grant.rank > 0;
            }
            Some(old) if old != grant => {
                out.changed.push(format!("{key} {} -> {}", old.detail, grant.detail));
                out.grown |= grant.rank > old.rank || (grant.detail_matters && grant.detail != old.detail);
            }
            Some(_) => {}
        }
    }
    for (key, grant) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        out.removed.push(format!("{key} {}", grant.detail));
        // What hid something is gone.
        out.grown |= grant.rank == 0;
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
    let mut grant = |key: String, rank: u8, detail: String, detail_matters: bool| {
        out.insert(key, Grant { rank, detail, detail_matters });
    };
    for entry in list(plan, "environment") {
        let (reference, class) = (text(entry, "ref"), text(entry, "class"));
        // Public values (TERM, PWD …) differ from one terminal to the next and give nothing.
        let detail = match class {
            _ if !reference.is_empty() => reference,
            "extra" => text(entry, "value"),
            _ => "",
        };
        let rank = if class == "sandbox" { 1 } else { 2 };
        grant(format!("env {}", text(entry, "name")), rank, detail.to_owned(), true);
    }
    for mount in list(plan, "mounts") {
        let (rank, detail) = mount_grant(mount);
        grant(format!("mount {}", text(mount, "target")), rank, detail, text(mount, "op") == "bind");
    }
    let network = plan.get("network").unwrap_or(&Value::Null);
    let tier = text(network, "tier");
    let rank =
        ["", "none", "agent", "dev", "learn", "full"].iter().position(|word| *word == tier).unwrap_or(0);
    grant("network".to_owned(), u8::try_from(rank).unwrap_or(0), tier.to_owned(), false);
    for allowed in list(network, "allow") {
        let port = allowed.get("port").map(Value::to_string).unwrap_or_default();
        grant(format!("host {}:{port}", text(allowed, "host")), 1, String::new(), false);
    }
    let credential = plan.get("credential").unwrap_or(&Value::Null);
    let crosses = !text(credential, "ref").is_empty();
    grant("login".to_owned(), 1 + u8::from(crosses), text(credential, "ref").to_owned(), true);
    let identity = plan.get("identity").unwrap_or(&Value::Null);
    let uid = identity.get("uid").map(Value::to_string).unwrap_or_default();
    grant("uid".to_owned(), 1 + u8::from(uid == "0"), uid, false);
    out
}

/// How much a mount gives: nothing (hidden), reading, writing.
fn mount_grant(mount: &Value) -> (u8, String) {
    let op = text(mount, "op");
    match op {
        "mask" => (0, "hidden".to_owned()),
        "bind" => {
            let source = mount.get("source").unwrap_or(&Value::Null);
            let from = match text(source, "path") {
                "" => text(source, "folder"),
                path => path,
            };
            let access = text(mount, "access");
            (if access == "rw" { 2 } else { 1 }, format!("{access} {from}"))
        }
        _ => (1, op.to_owned()),
    }
}
