//! Compiles the rules about system calls (`coffer-plan/walls/system-calls.toml`) to filters of the kernel's.
//!
//! seccompiler makes one program for each answer. It cannot say two things that are needed here, so they are added:
//!
//! - A filter sees calls of the other machines that the kernel runs as well (i386 and x32 on x86_64, 32-bit ARM on
//!   aarch64), whose numbers mean something else. seccompiler kills them; what stands before its programs answers
//!   them with `ENOSYS`, as a kernel does that was built without them.
//! - The programs are put one behind the other: where one would allow, it goes on to the next. So there is one filter
//!   to install, and one for the kernel to run.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a build script reads files and speaks to cargo; the crate does not"
)]

#[allow(unreachable_pub, reason = "it is a module of coffer-plan's, where others see it")]
#[path = "../coffer-plan/src/built_in/call_rules.rs"]
mod call_rules;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use call_rules::{CallCondition, CallRule, CallRules};
use seccompiler::{BpfProgram, TargetArch, compile_from_json, sock_filter};
use serde_json::{Value, json};

/// `linux/bpf_common.h`.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_NOT_LESS: u16 = 0x35;
const RETURN: u16 = 0x06;
/// `linux/seccomp.h`: what a filter returns, and where `struct seccomp_data` has what it looks at.
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const NUMBER_AT: u32 = 0;
const MACHINE_AT: u32 = 4;
/// The first number of x32's calls.
const X32: u32 = 0x4000_0000;
/// Numbers that both machines share.
const ERRNOS: [(&str, u32); 3] = [("EPERM", 1), ("ENOSYS", 38), ("EAFNOSUPPORT", 97)];
const ENOSYS: u32 = 38;

/// A machine for which filters are made.
struct Machine {
    /// As in the rules, and as cargo calls it.
    name: &'static str,
    target: TargetArch,
    /// `linux/audit.h`: the machine whose programs the kernel runs as well.
    other: u32,
    has_x32: bool,
}

const MACHINES: [Machine; 2] = [
    Machine { name: "x86_64", target: TargetArch::x86_64, other: 0x4000_0003, has_x32: true },
    Machine { name: "aarch64", target: TargetArch::aarch64, other: 0x4000_0028, has_x32: false },
];

fn main() -> Result<(), Box<dyn Error>> {
    let file =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../coffer-plan/walls/system-calls.toml");
    println!("cargo::rerun-if-changed={}", file.display());
    let rules: CallRules = toml::from_str(&std::fs::read_to_string(&file)?)?;
    let built_for = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    if !MACHINES.iter().any(|machine| machine.name == built_for) {
        return Err(format!("no filter of system calls is made for {built_for}").into());
    }
    let mut code = String::new();
    for machine in &MACHINES {
        // The other machine's are compiled, too: a rule that breaks them breaks this build, and tests run them.
        let condition = if machine.name == built_for { "all()" } else { "test" };
        for (name, nesting) in [("STRICT", false), ("NESTING", true)] {
            let program = compile(&rules.rule, machine, nesting)?;
            let constant = format!("{}_{name}", machine.name.to_uppercase());
            writeln!(code, "#[cfg({condition})]\npub(super) static {constant}: &[Instruction] = &[")?;
            for sock_filter { code: operation, jt, jf, k } in program {
                writeln!(code, "    Instruction {{ code: {operation}, jt: {jt}, jf: {jf}, k: {k} }},")?;
            }
            writeln!(code, "];")?;
        }
        if machine.name == built_for {
            let upper = machine.name.to_uppercase();
            writeln!(code, "pub(super) use {{{upper}_STRICT as STRICT, {upper}_NESTING as NESTING}};")?;
        }
    }
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("filters.rs"), code)?;
    Ok(())
}

/// One filter.
fn compile(rules: &[CallRule], machine: &Machine, nesting: bool) -> Result<BpfProgram, Box<dyn Error>> {
    let counts = |rule: &&CallRule| !(nesting && rule.nesting) && rule.is_for(machine.name);
    let mut program = other_machines(machine);
    for (answer, errno) in ERRNOS {
        let of_answer = rules.iter().filter(counts).filter(|rule| rule.answer == answer);
        let filter: Vec<Value> = of_answer.flat_map(in_json).collect();
        let wanted =
            json!({"it": {"mismatch_action": "allow", "match_action": {"errno": errno}, "filter": filter}});
        let mut made = compile_from_json(wanted.to_string().as_bytes(), machine.target)?;
        program.extend(going_on(made.remove("it").ok_or("seccompiler made nothing")?));
    }
    program.push(statement(RETURN, ALLOW));
    if let Some(rule) = rules.iter().find(|rule| rule.reason.trim().is_empty()) {
        return Err(format!("the rule `{}` has no reason", rule.name).into());
    }
    let unknown = rules.iter().find(|rule| ERRNOS.iter().all(|(name, _)| rule.answer != *name));
    match unknown {
        Some(CallRule { name, answer, .. }) => {
            Err(format!("nobody knows the answer `{answer}` of `{name}`").into())
        }
        None => Ok(program),
    }
}

/// A rule in seccompiler's words: several for one call count as "or".
fn in_json(rule: &CallRule) -> Vec<Value> {
    let mut out: Vec<Value> = rule.calls.iter().map(|call| json!({"syscall": call})).collect();
    for CallCondition { call, argument, has, equals } in &rule.conditions {
        let mut refuse = |op: Value, value: u32| {
            let looks = json!({"index": argument, "type": "dword", "op": op, "val": value});
            out.push(json!({"syscall": call, "args": [looks]}));
        };
        has.values().for_each(|bit| refuse(json!({"masked_eq": bit}), *bit));
        equals.values().for_each(|value| refuse(json!("eq"), *value));
    }
    out
}

/// What stands before seccompiler's programs.
fn other_machines(machine: &Machine) -> BpfProgram {
    let refuse = || statement(RETURN, ERRNO | ENOSYS);
    let mut out = vec![statement(LOAD, MACHINE_AT), skip_unless(JUMP_IF_EQUAL, machine.other), refuse()];
    if machine.has_x32 {
        out.extend([statement(LOAD, NUMBER_AT), skip_unless(JUMP_IF_NOT_LESS, X32), refuse()]);
    }
    out
}

/// The program with a jump behind its end wherever it would allow.
fn going_on(mut program: BpfProgram) -> BpfProgram {
    let behind = program.len();
    for (at, instruction) in program.iter_mut().enumerate() {
        if instruction.code == RETURN && instruction.k == ALLOW {
            let over = u32::try_from(behind - at - 1).unwrap_or(u32::MAX);
            *instruction = statement(JUMP, over);
        }
    }
    program
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes on with the next instruction, or with the one behind it.
fn skip_unless(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 1, k }
}
