//! The audit's section about the user's keys.

use std::fmt::Write as _;

use super::{RED, Style, printable};
use crate::plan::{GrantedKey, KeyAgent};

/// Nothing where no key is granted.
pub(super) fn section(out: &mut String, agents: &[KeyAgent], style: Style) {
    if agents.is_empty() {
        return;
    }
    super::section(out, style, "Keys");
    for agent in agents {
        let KeyAgent { agent: kind, socket: _, target, keys, confirm, origin } = agent;
        let asked = match confirm {
            Some(program) => format!("; {} asks you each time", printable(program.as_str())),
            None => "; nobody is asked".to_owned(),
        };
        let (target, origin) = (printable(target.as_str()), printable(&origin.to_string()));
        let _ = writeln!(out, "  {} keys, through a filter at {target}{asked}  [{origin}]", kind.title());
        for GrantedKey { fingerprint, label, sign, decrypt } in keys {
            let may = match (sign.is_empty() && !decrypt.is_empty(), decrypt.is_empty()) {
                (_, true) => "signs".to_owned(),
                (true, false) => style.paint(RED, "decrypts"),
                (false, false) => format!("signs, {}", style.paint(RED, "decrypts")),
            };
            let _ = writeln!(out, "    {may}: {} {}", printable(fingerprint), printable(label));
        }
    }
}
