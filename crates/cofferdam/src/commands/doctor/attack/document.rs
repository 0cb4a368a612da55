//! What came of the attacks, as JSON has it (field names and words are a contract) and for people.

use coffer_plan::show::audit::printable;
use coffer_testkit::attack::brief::Limits;
use coffer_testkit::attack::column::Column;
use coffer_testkit::attack::report::{Judged, is_proven, judge, table};
use coffer_testkit::attack::{Attack, Grant, Verdict, attacks};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A run that was attacked.
pub(super) struct Run {
    pub(super) column: Column,
    /// Its plan, as JSON.
    pub(super) plan: Value,
    pub(super) limits: Limits,
    pub(super) network: &'static str,
    pub(super) auth: &'static str,
}

/// `coffer doctor --attack --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(title = "coffer doctor --attack --json", deny_unknown_fields)]
pub(crate) struct Document {
    /// Format number.
    pub(crate) schema: u32,
    /// The runs that were attacked.
    pub(crate) runs: Vec<Attacked>,
    /// Each attack, by class.
    pub(crate) attacks: Vec<Row>,
    /// How many succeeded without a sandbox: about these something is proven.
    pub(crate) proven: usize,
    /// Names of those that did not succeed without a sandbox either.
    pub(crate) unproven: Vec<&'static str>,
    /// Names of those that succeeded in a run although nothing in its plan grants it.
    pub(crate) open: Vec<&'static str>,
    /// Whether none did.
    pub(crate) well: bool,
    /// For people.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) table: String,
}

/// A run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Attacked {
    /// Its name in this document.
    pub(crate) name: &'static str,
    /// Its network tier.
    pub(crate) network: &'static str,
    /// Its auth mode.
    pub(crate) auth: &'static str,
}

/// An attack.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Row {
    /// Its name; stable.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) class: &'static str,
    /// What it tries.
    pub(crate) tries: &'static str,
    /// What of a plan would explain its success; `nothing`: it must be blocked.
    pub(crate) granted_by: &'static str,
    /// What came of it without a sandbox: `allowed` proves that it can succeed here.
    pub(crate) outside: Came,
    /// What came of it in each run.
    pub(crate) inside: Vec<Inside>,
}

/// What came of an attack.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Came {
    /// `blocked`, `private`, `allowed` or `untried`.
    pub(crate) verdict: &'static str,
    /// In words.
    pub(crate) detail: String,
}

/// What came of an attack in a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Inside {
    /// The run.
    pub(crate) run: &'static str,
    /// `blocked`, `private`, `allowed` or `untried`.
    pub(crate) verdict: &'static str,
    /// In words.
    pub(crate) detail: String,
    /// Where it succeeded: the entry of the plan that grants it, and who asked for that; null if nothing does.
    pub(crate) grant: Option<String>,
    /// Whether it succeeded without a grant.
    pub(crate) open: bool,
}

/// The JSON schema of the document.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Document).to_value()
}

/// What grants it, in words.
pub(crate) fn granted_by(grant: Grant) -> &'static str {
    match grant {
        Grant::Never => "nothing",
        Grant::HostNetwork => "the network tier `full`",
        Grant::Project => "the project",
        Grant::Lease => "the auth mode `lease`",
    }
}

/// The limits that a plan says are set.
pub(super) fn limits(plan: &Value) -> Limits {
    let number = |name: &str| {
        let limit = &plan["limits"][name];
        limit.as_u64().or_else(|| limit["value"].as_u64())
    };
    Limits { pids: number("pids"), memory: number("memory") }
}

/// The entry of a plan that grants it, with its origin.
fn grant_in(plan: &Value, grant: Grant) -> Option<String> {
    let said = |what: &str, entry: &Value| {
        let origin = &entry["origin"];
        let word = |name: &str| origin[name].as_str().unwrap_or_default().to_owned();
        format!("{what} ({}: {})", word("layer").replace('_', "-"), word("name"))
    };
    match grant {
        Grant::Never => None,
        Grant::HostNetwork => {
            let network = &plan["network"];
            (network["tier"] == "full").then(|| said("network `full`", network))
        }
        Grant::Project => {
            let mounts = plan["mounts"].as_array()?;
            let project = mounts.iter().find(|mount| {
                mount["access"] == "rw" && mount["origin"]["name"] == "project" && mount["op"] == "bind"
            })?;
            Some(said("the project, read-write", project))
        }
        Grant::Lease => {
            let credential = &plan["credential"];
            (credential["mode"] == "lease").then(|| said("auth `lease`", credential))
        }
    }
}

/// Puts it together.
pub(super) fn document(outside: &Column, runs: &[Run]) -> Document {
    let rows: Vec<Row> = attacks().map(|attack| row(attack, outside, runs)).collect();
    let names = |chosen: &dyn Fn(&Attack) -> bool| {
        attacks().filter(|attack| chosen(attack)).map(|attack| attack.name).collect::<Vec<_>>()
    };
    let unproven = names(&|attack| !is_proven(attack, outside));
    let open: Vec<&'static str> =
        rows.iter().filter(|row| row.inside.iter().any(|inside| inside.open)).map(|row| row.name).collect();
    let grants: Vec<_> = runs.iter().map(|run| |grant| grant_in(&run.plan, grant).is_some()).collect();
    let columns: Vec<(&Column, &dyn Fn(Grant) -> bool)> = runs
        .iter()
        .zip(&grants)
        .map(|(run, grants)| (&run.column, grants as &dyn Fn(Grant) -> bool))
        .collect();
    Document {
        schema: 1,
        runs: runs
            .iter()
            .zip(names_of(runs))
            .map(|(run, name)| Attacked { name, network: run.network, auth: run.auth })
            .collect(),
        proven: rows.len() - unproven.len(),
        well: open.is_empty(),
        attacks: rows,
        unproven,
        open,
        table: table(outside, &columns),
    }
}

/// The names of the runs, as the table of runs has them.
fn names_of(runs: &[Run]) -> impl Iterator<Item = &'static str> {
    let names = super::RUNS.map(|[name, ..]| name);
    names.into_iter().filter(|name| runs.iter().any(|run| run.column.name == *name))
}

fn row(attack: &Attack, outside: &Column, runs: &[Run]) -> Row {
    let came = |column: &Column| {
        let line = column.lines.get(attack.name);
        let detail = line.map(|line| printable(&line.detail)).unwrap_or_default();
        (line.map_or(Verdict::Untried, |line| line.verdict).word(), detail)
    };
    let (verdict, detail) = came(outside);
    let inside = runs.iter().zip(names_of(runs)).map(|(run, name)| {
        let (verdict, detail) = came(&run.column);
        let grants = |grant| grant_in(&run.plan, grant).is_some();
        let judged = judge(attack, &run.column, &grants);
        let grant = grant_in(&run.plan, attack.grant).filter(|_| judged == Judged::Granted);
        Inside { run: name, verdict, detail, grant, open: judged == Judged::Open }
    });
    Row {
        name: attack.name,
        class: attack.class.word(),
        tries: attack.tries,
        granted_by: granted_by(attack.grant),
        outside: Came { verdict, detail },
        inside: inside.collect(),
    }
}

/// For people.
pub(super) fn text(document: &Document) -> String {
    let mut text = document.table.clone();
    text.push('\n');
    for row in &document.attacks {
        let open: Vec<&Inside> = row.inside.iter().filter(|inside| inside.open).collect();
        if let Some(first) = open.first() {
            let runs = open.iter().map(|inside| inside.run).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("OPEN in {runs}: {}: {} ({})\n", row.name, row.tries, first.detail));
        }
        let mut grants: Vec<&str> = row.inside.iter().filter_map(|inside| inside.grant.as_deref()).collect();
        grants.dedup();
        for grant in grants {
            text.push_str(&format!("granted: {}: {grant}\n", row.name));
        }
    }
    if !document.unproven.is_empty() {
        let names = document.unproven.join(" ");
        text.push_str(&format!("unproven (they do not succeed without a sandbox either): {names}\n"));
    }
    let (all, open) = (document.attacks.len(), document.open.len());
    text.push_str(&format!(
        "{all} attacks in {} runs: {} proven, {} unproven, {open} open\n",
        document.runs.len(),
        document.proven,
        document.unproven.len()
    ));
    text
}
