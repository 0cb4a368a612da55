//! What is kept from the agent because the host would run it later: one line for each reason.

use camino::Utf8Path;

use super::{printable, short};
use crate::deferred::DEFERRED;
use crate::plan::{Access, Mount, MountOp};

/// So many paths of a line are named; the JSON names all.
const NAMED: usize = 3;
/// And so many places that are held.
const HELD: usize = 20;

/// Whether a mount is told with others of its reason.
pub(super) fn is_counted(mount: &Mount) -> bool {
    mount.origin.name.contains(DEFERRED) && word(mount).is_some()
}

/// A line for each reason, in the order of the plan; what only keeps a folder in its place is told with the others.
pub(super) fn lines(mounts: &[Mount], home: &Utf8Path) -> Vec<String> {
    let mut groups: Vec<(&str, String, Vec<String>)> = Vec::new();
    for mount in mounts.iter().filter(|mount| is_counted(mount)) {
        let Some(word) = word(mount) else { continue };
        // Places that are held differ in nothing that a person has to decide.
        let origin = match word {
            "--" => format!("{DEFERRED}: held, nothing is there yet"),
            _ => mount.origin.to_string(),
        };
        let shown = short(&mount.target, home);
        match groups.iter_mut().find(|(known, by, _)| *known == word && *by == origin) {
            Some((_, _, paths)) => paths.push(shown),
            None => groups.push((word, origin, vec![shown])),
        }
    }
    let line = |(word, origin, paths): &(&str, String, Vec<String>)| {
        let most = if *word == "--" { HELD } else { NAMED };
        let more = paths.len().saturating_sub(most);
        let named = paths[..paths.len() - more].join(" ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{word}  {named}{more}  [{}]", printable(origin))
    };
    groups.iter().map(line).collect()
}

fn word(mount: &Mount) -> Option<&'static str> {
    match &mount.op {
        MountOp::Bind { access: Access::Ro, .. } => Some("ro"),
        MountOp::Bind { access: Access::Rw, .. } => Some("rw"),
        MountOp::Placeholder { .. } => Some("--"),
        MountOp::GitConfig { .. }
        | MountOp::Overlay { .. }
        | MountOp::Tmpfs { .. }
        | MountOp::Proc
        | MountOp::Dev
        | MountOp::Symlink { .. }
        | MountOp::Mask { .. }
        | MountOp::File { .. } => None,
    }
}
