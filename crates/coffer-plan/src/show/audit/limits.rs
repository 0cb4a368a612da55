//! The audit's section about limits.

use std::fmt::{Display, Write as _};

use super::printable;
use crate::origin::Origin;
use crate::plan::{Limit, Limits, Means};

/// A new field of the limits breaks this function, so that it is not forgotten.
pub(super) fn section(out: &mut String, limits: &Limits) {
    let Limits { memory, pids, cpus, means, lacks } = limits;
    let is_lacking = |origin: &Origin, name: &str| {
        lacks.iter().any(|lack| lack.origin == *origin && lack.text.starts_with(name))
    };
    let mut line = |name: &str, key: &str, value: Option<String>, origin: &Origin| {
        // Its own line says why it is not there.
        if value.is_none() && is_lacking(origin, key) {
            return;
        }
        let value = value.unwrap_or_else(|| "no limit".to_owned());
        let _ = writeln!(out, "  {name}: {value}  [{}]", printable(&origin.to_string()));
    };
    line("memory", "memory", shown(memory), &memory.origin);
    line("processes", "pids", shown(pids), &pids.origin);
    line("processors", "cpus", shown(cpus), &cpus.origin);
    match means {
        Means::None => {}
        Means::V2 { folder, .. } => {
            let _ = writeln!(out, "  held by a group below {}", printable(folder.as_str()));
        }
        Means::Scope { .. } => out.push_str("  held by a scope of your systemd\n"),
        Means::V1 { groups } => {
            let folders: Vec<String> = groups.iter().map(|group| printable(group.folder.as_str())).collect();
            let _ = writeln!(out, "  held by groups below {}", folders.join(", "));
        }
        Means::Engine => out.push_str("  held by the container engine\n"),
    }
    for lack in lacks {
        let origin = printable(&lack.origin.to_string());
        let _ = writeln!(out, "  not limited: {}  [{origin}]", printable(&lack.text));
    }
}

fn shown<T: Display>(limit: &Limit<T>) -> Option<String> {
    limit.value.as_ref().map(T::to_string)
}
