//! The audit: what the agent can see and reach, on stderr before each run. Three sections and the
//! Sign-in line; legible without colour.

use std::fmt::Write as _;

use camino::Utf8Path;

use crate::origin::{Origin, OriginLayer};
use crate::plan::{
    Access, AuthMode, CheckedPlan, EnvClass, EnvEntry, EnvValue, FileContent, Forward, ForwardSpec, Image,
    Mount, MountOp, NetworkTier, Note, Plan, Publish, PublishSpec, Ranges, Source, Upstream,
};
use crate::sign_in::OWN_ACCOUNT;

mod deferred;
mod keys;
mod limits;
mod walls;

#[cfg(test)]
mod tests;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
}

const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";
const RED: &str = "31";
const BOLD: &str = "1";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole audit, ending in a line break. A new field of the plan breaks this function, so that it is
/// not forgotten.
pub fn audit(plan: &CheckedPlan, style: Style) -> String {
    let Plan {
        schema: _,
        command,
        identity,
        environment,
        mounts,
        network: _,
        key_agents,
        credential: _,
        state: _,
        limits,
        hardening,
        sign_in: _,
        backend,
        notes,
        proposals,
    } = &**plan;
    let mut out = String::new();
    let mut title = format!("{} in {}", printable(&command.agent), printable(command.workdir.as_str()));
    let user = printable(&identity.user);
    let _ = write!(title, ", by {}, as {user} ({}:{})", backend.kind, identity.uid, identity.gid);
    if identity.uid != identity.host_uid {
        let _ = write!(title, ", on the host {}:{}", identity.host_uid, identity.host_gid);
    }
    let _ = writeln!(out, "{}", style.paint(BOLD, &title));
    if let Some(Image { name, id, rootless: _, engine_mounts: _, origin }) = &backend.image {
        let id = id.as_deref().unwrap_or("not there");
        let (name, id, origin) = (printable(name), printable(id), printable(&origin.to_string()));
        let _ = writeln!(out, "  image: {name} ({id})  [{origin}]");
    }
    let words: Vec<String> = command.argv.iter().map(|word| printable(word)).collect();
    let _ = writeln!(out, "  runs: {}", words.join(" "));
    section(&mut out, style, "Environment");
    for entry in environment {
        let _ = writeln!(out, "  {}", variable(entry, style));
    }
    section(&mut out, style, "Mounts");
    if let Some(image) = &backend.image {
        let paths = image.engine_mounts.iter().map(|mount| mount.path.as_str());
        let others = paths.filter(|path| !mounts.iter().any(|mount| mount.target == *path));
        let named: Vec<&str> = others.filter(|path| !path.starts_with("/dev/")).collect();
        let _ = writeln!(out, "  --  by {} itself, and nothing else: {}", backend.kind, named.join(" "));
    }
    mounts_section(&mut out, mounts, &identity.home, style);
    section(&mut out, style, "Network");
    network_section(&mut out, plan);
    keys::section(&mut out, key_agents, style);
    section(&mut out, style, "Sign-in");
    sign_in_section(&mut out, plan, style);
    section(&mut out, style, "Walls");
    walls::section(&mut out, plan, hardening, style);
    section(&mut out, style, "Limits");
    limits::section(&mut out, limits);
    notes_section(&mut out, "Notes", notes, style);
    notes_section(
        &mut out,
        "Proposed by the project, not active (`coffer trust` after reading them)",
        proposals,
        style,
    );
    out
}

fn section(out: &mut String, style: Style, title: &str) {
    let _ = writeln!(out, "{}", style.paint(BOLD, title));
}

fn notes_section(out: &mut String, title: &str, notes: &[Note], style: Style) {
    if notes.is_empty() {
        return;
    }
    section(out, style, title);
    for note in notes {
        let _ = writeln!(out, "  {} ({})", printable(&note.text), printable(&note.origin.to_string()));
    }
}

fn variable(entry: &EnvEntry, style: Style) -> String {
    let (prefix, color) = match entry.class {
        EnvClass::Sandbox => ("[~]", GREEN),
        EnvClass::Host => ("[>]", YELLOW),
        EnvClass::Extra => ("[+]", CYAN),
    };
    let value = match &entry.value {
        EnvValue::Value { value } => printable(value),
        EnvValue::Reference { reference: _, label } if label == "set" => "****".to_owned(),
        EnvValue::Reference { reference: _, label } => format!("**** ({})", printable(label)),
    };
    format!("{} {}={value}", style.paint(color, prefix), printable(&entry.name))
}

/// One line a mount; what every sandbox has in common is counted on one line each.
fn mounts_section(out: &mut String, mounts: &[Mount], home: &Utf8Path, style: Style) {
    for group in Origin::common_groups() {
        let members = mounts.iter().filter(|mount| mount.origin.common_group() == Some(group));
        let targets: Vec<String> = members.map(|mount| printable(mount.target.as_str())).collect();
        if targets.is_empty() {
            continue;
        }
        let count = targets.len();
        let line = match *group {
            "private" => format!("--  empty and private: {}", targets.join(" ")),
            "hidden in /proc" => format!("--  {count} {group}, which tell of the host"),
            "etc allowlist" => {
                format!("ro  {count} of /etc, from an allowlist (`coffer plan --json` names them)")
            }
            _ => format!("ro  {group}: {}", targets.join(" ")),
        };
        let _ = writeln!(out, "  {line}");
    }
    let others = mounts.iter().filter(|mount| mount.origin.common_group().is_none());
    for mount in others.filter(|mount| !deferred::is_counted(mount)) {
        let _ = writeln!(out, "  {}", mount_line(mount, home, style));
    }
    for line in deferred::lines(mounts, home) {
        let _ = writeln!(out, "  {line}");
    }
}

fn mount_line(mount: &Mount, home: &Utf8Path, style: Style) -> String {
    let target = printable(mount.target.as_str());
    let (access, rest) = match &mount.op {
        MountOp::Bind { source, access } => {
            let from = match source {
                Source::Host { path, .. } if *path == mount.target => String::new(),
                Source::Host { path, .. } | Source::Own { path } => format!(" <- {}", short(path, home)),
                Source::Run { folder } => format!(" <- this run's {folder} folder"),
            };
            (*access, from)
        }
        MountOp::Overlay { source, access } => {
            let from = match source {
                Source::Host { path, .. } | Source::Own { path } => short(path, home),
                Source::Run { folder } => format!("this run's {folder} folder"),
            };
            (*access, format!(" <- a working copy laid over {from}"))
        }
        MountOp::Tmpfs { .. } => (Access::Rw, " (empty, in memory, gone after the run)".to_owned()),
        MountOp::Proc => (Access::Ro, " (its own processes)".to_owned()),
        MountOp::Dev => (Access::Rw, " (its own devices)".to_owned()),
        MountOp::Symlink { source } => (Access::Ro, format!(" -> {}", printable(source))),
        MountOp::Mask { .. } => {
            return format!("--  {target} (hidden)  [{}]", printable(&mount.origin.to_string()));
        }
        MountOp::GitConfig { accept: false, .. } => {
            (Access::Rw, " (a copy; at the end harmless changes reach the host)".to_owned())
        }
        MountOp::GitConfig { accept: true, .. } => {
            (Access::Rw, " (a copy; at the end every change reaches the host)".to_owned())
        }
        MountOp::Placeholder { .. } => (Access::Ro, " (held: nothing is there yet)".to_owned()),
        MountOp::File { content: FileContent::Text { .. } } => (Access::Ro, " (made for the run)".to_owned()),
        MountOp::File { content: FileContent::Reference { label, .. } } => {
            (Access::Ro, format!(" ({})", printable(label)))
        }
    };
    let word = match access {
        Access::Ro => access.word().to_owned(),
        Access::Rw => style.paint(YELLOW, access.word()),
    };
    format!("{word}  {target}{rest}  [{}]", printable(&mount.origin.to_string()))
}

fn short(path: &Utf8Path, home: &Utf8Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) => format!("~/{}", printable(below.as_str())),
        Err(_) => printable(path.as_str()),
    }
}

fn network_section(out: &mut String, plan: &Plan) {
    let network = &plan.network;
    let what = match network.tier {
        NetworkTier::None => "nobody; its own empty loopback",
        NetworkTier::Agent => "the agent's API and nobody else",
        NetworkTier::Dev => "the hosts listed here and nobody else",
        NetworkTier::Learn => "anybody, recorded",
        NetworkTier::Full if plan.backend.image.is_some() => {
            "anybody this machine reaches, by the engine's own network"
        }
        NetworkTier::Full => {
            "anybody this machine reaches, the host's loopback and abstract sockets included"
        }
    };
    let _ = writeln!(out, "  {}: {what}  [{}]", network.tier, printable(&network.origin.to_string()));
    for allowed in &network.allow {
        let leads = match allowed.ranges {
            Ranges::Public => "",
            Ranges::Private => " (private addresses, too)",
            Ranges::Any => " (any address)",
        };
        let (host, origin) = (allowed.host.to_string(), allowed.origin.to_string());
        let _ = writeln!(out, "  {}:{}{leads}  [{}]", printable(&host), allowed.port, printable(&origin));
    }
    for Upstream { host, address, origin } in &network.upstream {
        let _ = writeln!(out, "  {host} means {address}  [{}]", printable(&origin.to_string()));
    }
    for Forward { what, origin } in &network.forward {
        let what = match what {
            ForwardSpec::Port(port) => format!("the host's port {port}, at 127.0.0.1:{port} inside"),
            ForwardSpec::Socket(path) => format!("the host's socket {}", printable(path.as_str())),
        };
        let _ = writeln!(out, "  forward: {what}  [{}]", printable(&origin.to_string()));
    }
    for Publish { what, origin } in &network.publish {
        let PublishSpec { host_port, port } = what;
        let origin = origin.to_string();
        let _ = writeln!(
            out,
            "  publish: port {port} at 127.0.0.1:{host_port} of the host  [{}]",
            printable(&origin)
        );
    }
    if let Some(file) = &network.ca_file {
        let _ = writeln!(
            out,
            "  certificate authorities: the system's, and those in {}",
            printable(file.as_str())
        );
    }
}

fn sign_in_section(out: &mut String, plan: &Plan, style: Style) {
    let sign_in = &plan.sign_in;
    let winner = sign_in.winner.as_deref().unwrap_or("nothing");
    let _ = writeln!(out, "  {}: {}", printable(winner), printable(&sign_in.reason));
    let credential = &plan.credential;
    match (credential.mode, &credential.file) {
        (AuthMode::Lease, Some(file)) => {
            let until = match credential.expires_at_ms.map(jiff::Timestamp::from_millisecond) {
                Some(Ok(end)) => format!("until {end:.0}"),
                Some(Err(_)) | None => "for as long as the API takes it".to_owned(),
            };
            let (account, file) = (printable(&credential.account), printable(file.as_str()));
            let _ =
                writeln!(out, "  lease of account {account}, {until}, without refresh token, from {file}");
        }
        (AuthMode::Shared, _) => {
            let account = printable(&credential.account);
            let _ = writeln!(
                out,
                "  shared login of account {account}: the folder itself with its refresh token, read and write"
            );
        }
        (AuthMode::Gateway, _) => {
            if let Some(injection) = &credential.injection {
                let (account, upstream) = (printable(&credential.account), printable(&injection.upstream));
                let _ = writeln!(
                    out,
                    "  gateway: the credential of account {account} goes to {upstream} and nowhere else"
                );
            }
        }
        (AuthMode::None | AuthMode::Lease, _) => {}
    }
    // Without any credential the user's own account stands for nothing.
    let is_nothing = credential.mode == AuthMode::None && credential.account == OWN_ACCOUNT;
    if credential.account_origin.layer != OriginLayer::BuiltIn && !is_nothing {
        let (account, origin) = (&credential.account, &credential.account_origin);
        let _ = writeln!(out, "  account {}  [{}]", printable(account), printable(&origin.to_string()));
    }
    if let Some(asks) = &sign_in.asks {
        let _ = writeln!(out, "  {} {}", style.paint(RED, "asks:"), printable(asks));
    }
    if let Some(warning) = &sign_in.warning {
        let _ = writeln!(out, "  {} {}", style.paint(RED, "warning:"), printable(warning));
    }
}

/// Text without control characters: a value must not move the cursor or recolour the audit.
pub fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if character.is_control() || is_reordering(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
        out
    })
}

/// Characters that make text look like other text.
fn is_reordering(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}
