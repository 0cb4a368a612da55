//! The audit's section about the walls besides the mounts.

use std::fmt::Write as _;

use super::{RED, Style, printable};
use crate::landlock;
use crate::plan::{Hardening, Landlock, Nesting, Plan, Scope, SystemCalls};

/// A new field of the hardening breaks this function, so that it is not forgotten.
pub(super) fn section(out: &mut String, plan: &Plan, hardening: &Hardening, style: Style) {
    let Hardening {
        namespaces: _,
        capabilities: _,
        no_new_privileges: _,
        read_only_root: _,
        read_only_proc_sys: _,
        die_with_parent: _,
        nesting,
        system_calls,
        landlock,
    } = hardening;
    calls(out, system_calls);
    files(out, plan, landlock);
    let Nesting { allowed, origin } = nesting;
    if *allowed {
        let warning = style.paint(RED, "sandboxes may be made inside:");
        let origin = printable(&origin.to_string());
        let _ = writeln!(
            out,
            "  {warning} whoever makes one has every capability in it, more of the kernel is in reach, and the \
             mounts are the only wall around files  [{origin}]"
        );
    }
}

fn calls(out: &mut String, calls: &SystemCalls) {
    let SystemCalls { filter: _, rules, lifted } = calls;
    let _ = writeln!(out, "  system calls refused: {}", rules.join(", "));
    if !lifted.is_empty() {
        let _ = writeln!(out, "  system calls not refused: {}", lifted.join(", "));
    }
}

fn files(out: &mut String, plan: &Plan, landlock: &Landlock) {
    let Landlock { abi, files, scopes, lacks } = landlock;
    let scopes = scopes.iter().map(|scope| match scope {
        Scope::AbstractSockets => "abstract sockets",
        Scope::Signals => "signals",
    });
    let closed: Vec<&str> = files.then_some("files").into_iter().chain(scopes).collect();
    if let Some(abi) = abi {
        let _ = writeln!(out, "  Landlock {abi} closes a second time: {}", closed.join(", "));
    }
    let alone = landlock::held_by_mounts_alone(plan).len();
    if *files && alone > 0 {
        let _ =
            writeln!(out, "  by mounts alone: {alone} that lie below a folder that is granted more widely");
    }
    for lack in lacks {
        let _ = writeln!(out, "  Landlock leaves open: {}", printable(lack));
    }
}
