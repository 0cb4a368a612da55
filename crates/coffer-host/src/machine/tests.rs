use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use coffer_plan::facts::{EnvFact, FACTS_SCHEMA, PathKind};

use super::Machine;
use crate::error::HostError;
use crate::scratch::{Scratch, set};

#[test]
fn this_machine_can_be_read() {
    let scratch = Scratch::new();
    let mut machine = Machine::this().unwrap();
    let count = machine.environment.len();
    assert_eq!(count, std::env::vars_os().count());
    assert_eq!(machine.current_folder, std::env::current_dir().unwrap());
    // What is remembered belongs in no real home.
    set(&mut machine, "HOME", scratch.path("home"));
    set(&mut machine, "XDG_CACHE_HOME", scratch.path("home/cache"));
    let facts = machine.base().unwrap();
    assert_eq!(facts.schema, FACTS_SCHEMA);
    assert_eq!(facts.coffer, std::env::current_exe().unwrap().canonicalize().unwrap());
    assert!(facts.now_ms > 1_700_000_000_000);
    assert!(facts.exists(&facts.project.path) && facts.exists(&facts.coffer));
    assert_eq!(facts.landlock_abi, coffer_sys::landlock::landlock_abi());
}

#[test]
fn what_a_plan_mounts_unasked_is_known() {
    let scratch = Scratch::new();
    let main = scratch.repository("main");
    scratch.git(&main, &["worktree", "add", "-q", "../project/linked"]);
    let mut machine = scratch.machine();
    machine.current_folder = scratch.path("project/linked").into();
    let facts = machine.base().unwrap();
    for path in [
        scratch.path("project/linked"),
        scratch.path("project/linked/.git"),
        main.join(".git"),
        main.join(".git/worktrees/linked"),
        scratch.path("home"),
        facts.coffer.clone(),
    ] {
        assert!(facts.exists(&path), "{path}");
    }
    scratch.link("project/.git", "nowhere");
    let facts = scratch.facts();
    let link = &facts.paths[&scratch.path("project/.git")];
    assert_eq!((link.kind, link.link.as_deref()), (PathKind::Missing, Some("nowhere")));
}

#[test]
fn who_commits_is_said_by_the_users_own_files() {
    let scratch = Scratch::new();
    scratch.repository("project");
    scratch.file("project/.git/config", "[user]\nname = Agent\nemail = agent@example.org\n");
    assert_eq!(scratch.facts().git_identity, None);
    scratch.file("xdg/git/config", "[user]\nname = Ada\nemail = ada@example.org\n");
    scratch.file("home/.config/git/config", "[user]\nname = Other\n");
    scratch.file("home/.gitconfig", "[user]\nemail = work@example.org\n");
    let mut machine = scratch.machine();
    set(&mut machine, "XDG_CONFIG_HOME", scratch.path("xdg"));
    let identity = machine.base().unwrap().git_identity.unwrap();
    assert_eq!(identity.name.as_deref(), Some("Ada"));
    assert_eq!(identity.email.as_deref(), Some("work@example.org"));
    let identity = scratch.facts().git_identity.unwrap();
    assert_eq!(identity.name.as_deref(), Some("Other"));
}

#[test]
fn an_unset_path_is_an_error() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    set(&mut machine, "PATH", "");
    assert!(matches!(machine.base(), Err(HostError::NoSearchPath)));
    machine.environment.clear();
    let error = machine.base().unwrap_err();
    assert_eq!(error.to_string(), "`PATH` is not set");
    assert!(error.hint().unwrap().contains("PATH="));
}

#[test]
fn no_home_is_no_error() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    machine.environment.retain(|(name, _)| name == "PATH");
    let facts = machine.base().unwrap();
    assert_eq!(facts.user.home, None);
    assert_eq!(facts.git_identity, None);
}

#[test]
fn a_folder_with_a_strange_name_is_an_error() {
    let scratch = Scratch::new();
    for name in [&b"caf\xe9"[..], b"new\nline"] {
        let folder = scratch.path("").into_std_path_buf().join(OsStr::from_bytes(name));
        std::fs::create_dir(&folder).unwrap();
        let mut machine = scratch.machine();
        machine.current_folder = folder;
        let error = machine.base().unwrap_err();
        assert!(
            matches!(&error, HostError::FolderName { what, .. } if what == "the current folder"),
            "{error}"
        );
        assert_eq!(error.hint().as_deref(), Some("rename the folder, or start in another one"));
    }
}

#[test]
fn without_proc_there_is_a_hint() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    machine.proc = scratch.path("no-proc");
    let error = machine.base().unwrap_err();
    assert!(matches!(error, HostError::OwnProgram { .. }));
    scratch.link("no-proc/self/exe", "/usr/bin/coffer (deleted)");
    let error = machine.base().unwrap_err();
    assert_eq!(error.to_string(), "the running program was replaced or removed: `/usr/bin/coffer`");
}

#[test]
fn a_replaced_link_names_its_target() {
    let scratch = Scratch::new();
    let program = scratch.program("bin/coffer", "");
    scratch.link("proc/self/exe", &program);
    let mut machine: Machine = scratch.machine();
    machine.proc = scratch.path("proc");
    assert_eq!(machine.base().unwrap().coffer, program);
}

#[test]
fn the_environment_is_labelled() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    set(&mut machine, "ANTHROPIC_API_KEY", "sk-ant-FAKE");
    set(&mut machine, "ANTHROPIC_AUTH_TOKEN", "");
    let facts = machine.base().unwrap();
    assert_eq!(facts.environment["ANTHROPIC_API_KEY"], EnvFact::Redacted("set".into()));
    assert!(facts.is_set("ANTHROPIC_API_KEY") && !facts.is_set("ANTHROPIC_AUTH_TOKEN"));
    assert_eq!(facts.public_value("HOME"), Some(scratch.path("home").as_str()));
}
