//! The access table: who may read, write and reach what in a run, as one row for each grant. The same plan as in the
//! audit, for a README or a review.

use camino::Utf8Path;
use serde::Serialize;

use crate::origin::Origin;
use crate::plan::{
    Access, AuthMode, CheckedPlan, EnvValue, FileContent, ForwardSpec, Mount, MountOp, NetworkTier, Plan,
    Source,
};
use crate::show::audit::printable;

#[cfg(test)]
mod tests;

/// The heads of the columns.
const HEADS: [&str; 4] = ["inside", "the agent", "on the host", "because of"];
/// Stands where there is nothing.
const NOTHING: &str = "-";

/// One grant, or one refusal that is worth a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is called inside: a path, a host, a variable.
    pub what: String,
    /// What the agent may do with it: `reads`, `reads and writes`, `nothing`, `has it alone`, `reaches`, `is reached`,
    /// `uses`.
    pub may: String,
    /// What it is on the host, if it is something there.
    pub host: Option<String>,
    /// Who decided it.
    pub origin: String,
}

impl Row {
    fn new(what: impl Into<String>, may: &str, host: Option<String>, origin: impl ToString) -> Self {
        Self { what: what.into(), may: may.to_owned(), host, origin: origin.to_string() }
    }

    fn cells(&self) -> [String; 4] {
        let host = self.host.as_deref().unwrap_or(NOTHING);
        [&self.what, &self.may, host, &self.origin].map(printable)
    }
}

/// Every row, in the order of the plan: files, hosts and ports, the login, keys, variables that are not shown.
pub fn rows(plan: &CheckedPlan) -> Vec<Row> {
    let mut out = files(plan);
    out.extend(network(plan));
    out.push(login(plan));
    for agent in &plan.key_agents {
        let keys: Vec<&str> = agent.keys.iter().map(|key| key.label.as_str()).collect();
        let what = format!("{} keys: {}", agent.agent.title(), keys.join(", "));
        out.push(Row::new(what, "uses", Some(agent.socket.to_string()), &agent.origin));
    }
    let hidden = plan.environment.iter().filter_map(|entry| match &entry.value {
        EnvValue::Reference { label, .. } => {
            Some(Row::new(format!("${}", entry.name), "reads", Some(label.clone()), &entry.origin))
        }
        EnvValue::Value { .. } => None,
    });
    out.extend(hidden);
    out
}

fn files(plan: &Plan) -> Vec<Row> {
    let mut out: Vec<Row> = Vec::new();
    if let Some(image) = &plan.backend.image {
        let named = format!("{} ({})", image.name, image.id.as_deref().unwrap_or("not there"));
        out.push(Row::new("/", "reads", Some(named), &image.origin));
    }
    for (at, mount) in plan.mounts.iter().enumerate() {
        let is_covered = plan.mounts[at + 1..].iter().any(|later| later.target == mount.target);
        if is_covered {
            continue;
        }
        let Row { what, may, host, origin } = file(mount);
        // What differs in its place alone is one row: the system's folders, and what is kept for one reason.
        let is_same = |row: &&mut Row| row.may == may && row.origin == origin && row.host == host;
        match out.iter_mut().find(is_same) {
            Some(row) => {
                row.what.push(' ');
                row.what.push_str(&what);
            }
            None => out.push(Row { what, may, host, origin }),
        }
    }
    out
}

fn file(mount: &Mount) -> Row {
    let target = mount.target.as_path();
    let (may, host) = match &mount.op {
        MountOp::Bind { source, access } => (rights(*access), from(source, target)),
        MountOp::Overlay { source, .. } => ("reads, and writes a copy", from(source, target)),
        MountOp::Tmpfs { .. } | MountOp::Proc | MountOp::Dev => ("has it alone", None),
        MountOp::Symlink { source } => ("reads", Some(format!("a link to {source}"))),
        MountOp::Mask { .. } => ("nothing", None),
        MountOp::Placeholder { .. } => ("nothing", Some("held: nothing is there yet".to_owned())),
        MountOp::GitConfig { accept: false, .. } => ("reads, and writes harmless keys", None),
        MountOp::GitConfig { accept: true, .. } => ("reads and writes", None),
        MountOp::File { content: FileContent::Text { .. } } => ("reads", Some("made for the run".to_owned())),
        MountOp::File { content: FileContent::Reference { label, .. } } => ("reads", Some(label.clone())),
    };
    // The system's own are counted together, whoever names them.
    let origin = mount.origin.common_group().map_or_else(|| mount.origin.to_string(), str::to_owned);
    Row { what: target.to_string(), may: may.to_owned(), host, origin }
}

fn rights(access: Access) -> &'static str {
    match access {
        Access::Ro => "reads",
        Access::Rw => "reads and writes",
    }
}

/// Where it comes from; `None` where it is called the same.
fn from(source: &Source, target: &Utf8Path) -> Option<String> {
    match source {
        Source::Host { path, .. } | Source::Own { path } if path == target => None,
        Source::Host { path, .. } | Source::Own { path } => Some(path.to_string()),
        Source::Run { folder } => Some(format!("this run's {folder} folder")),
    }
}

fn network(plan: &Plan) -> Vec<Row> {
    let network = &plan.network;
    let mut out = Vec::new();
    match network.tier {
        NetworkTier::Full => out.push(Row::new("every host", "reaches", None, &network.origin)),
        NetworkTier::Learn => out.push(Row::new("every host, recorded", "reaches", None, &network.origin)),
        NetworkTier::None if network.allow.is_empty() => {
            out.push(Row::new("every host", "nothing", None, &network.origin));
        }
        NetworkTier::None | NetworkTier::Agent | NetworkTier::Dev => {}
    }
    let allowed = network.allow.iter();
    out.extend(allowed.map(|to| Row::new(format!("{}:{}", to.host, to.port), "reaches", None, &to.origin)));
    for forward in &network.forward {
        let (what, host) = match &forward.what {
            ForwardSpec::Port(port) => (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
            ForwardSpec::Socket(path) => (path.to_string(), path.to_string()),
        };
        out.push(Row::new(what, "reaches", Some(host), &forward.origin));
    }
    for publish in &network.publish {
        let (inside, outside) = (publish.what.port, publish.what.host_port);
        let host = Some(format!("127.0.0.1:{outside}"));
        out.push(Row::new(format!("port {inside}"), "is reached", host, &publish.origin));
    }
    out
}

fn login(plan: &Plan) -> Row {
    let credential = &plan.credential;
    let (what, may) = match credential.mode {
        AuthMode::Lease if credential.file.is_some() => ("access token, without refresh token", "reads"),
        AuthMode::Shared => ("login with its refresh token", "reads and writes"),
        AuthMode::Gateway => ("a word that stands for the credential in this run", "uses"),
        AuthMode::Lease | AuthMode::None => ("login", "nothing"),
    };
    let host = Some(format!("account {}", credential.account));
    Row::new(what, may, host, Origin::clone(&credential.origin))
}

/// As columns.
pub fn text(rows: &[Row]) -> String {
    let lines: Vec<[String; 4]> =
        std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    // What is long pushes the rest of its own line and no other.
    let widths = [0, 1, 2].map(|column| width(column).min(40));
    let line = |cells: &[String; 4]| {
        let [what, may, host, origin] = cells;
        let [first, second, third] = widths;
        format!("{what:first$}  {may:second$}  {host:third$}  {origin}\n")
    };
    lines.iter().map(line).collect()
}

/// As a table of Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let line = |cells: [String; 4]| format!("| {} |\n", cells.map(|cell| escaped(&cell)).join(" | "));
    let mut out = line(HEADS.map(str::to_owned));
    out.push_str("|---|---|---|---|\n");
    out.extend(rows.iter().map(|row| line(row.cells())));
    out
}

/// Nothing of a cell is read as Markdown.
fn escaped(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    for character in cell.chars() {
        if "\\`*_{}[]<>#|!~".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
