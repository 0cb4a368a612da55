use super::fits;
use crate::config::KeyChoice;
use crate::facts::HostFacts;
use crate::fixture::{Machine, mounts_on, value};
use crate::plan::{KeyAgentKind, Plan, PlanError, RunFolder, Source};

/// Ada's machine with two SSH keys and two GnuPG keys.
fn ada() -> Machine {
    let facts: HostFacts =
        serde_json::from_str(include_str!("../../../tests/golden/keys/facts.json")).unwrap();
    Machine::ada().with(|own| own.keys = facts.keys)
}

fn only(filter: &str) -> Option<KeyChoice> {
    Some(KeyChoice::Only(vec![filter.to_owned()]))
}

fn ssh(choice: Option<KeyChoice>) -> Machine {
    ada().flags(|flags| flags.settings.ssh_agent = choice)
}

fn gpg(choice: Option<KeyChoice>) -> Machine {
    ada().flags(|flags| flags.settings.gpg_agent = choice)
}

fn granted(plan: &Plan) -> Vec<&str> {
    let keys = plan.key_agents.iter().flat_map(|agent| &agent.keys);
    keys.map(|key| key.fingerprint.get(..8).unwrap()).collect()
}

#[test]
fn without_a_word_there_is_nothing_of_it() {
    let plan = ada().plan();
    assert!(plan.key_agents.is_empty() && value(&plan, "SSH_AUTH_SOCK").is_none());
    assert!(mounts_on(&plan, super::KEY_AGENTS).is_empty());
}

#[test]
fn ssh_keys_are_named_by_fingerprint_or_comment() {
    for (choice, keys) in [
        (Some(KeyChoice::All), vec!["SHA256:A", "SHA256:B"]),
        (only("deploy"), vec!["SHA256:B"]),
        (only("ada@*"), vec!["SHA256:A"]),
        (only(&format!("SHA256:{}", "B".repeat(43))), vec!["SHA256:B"]),
        (
            Some(KeyChoice::Only(vec!["deploy".to_owned(), "*laptop".to_owned()])),
            vec!["SHA256:A", "SHA256:B"],
        ),
    ] {
        let plan = ssh(choice.clone()).plan();
        assert_eq!(granted(&plan), keys, "{choice:?}");
        assert_eq!(value(&plan, "SSH_AUTH_SOCK"), Some("/run/coffer/key-agents/ssh.sock"));
        let mounts = mounts_on(&plan, super::KEY_AGENTS);
        let [mount] = mounts.as_slice() else { panic!("{mounts:?}") };
        let source = Source::Run { folder: RunFolder::KeyAgents };
        assert_eq!(mount.bind(), Some((&source, crate::plan::Access::Ro)));
    }
    for nobody in ["SHA256:A", "laptop", "", "Deploy"] {
        assert_eq!(ssh(only(nobody)).codes(), ["no-such-key"], "{nobody}");
    }
}

/// Where a subkey signs, the primary key stays outside; decryption takes a word of its own.
#[test]
fn gnupg_keys_sign_with_what_signs_alone() {
    for name in [
        "ada@example.org",
        "Ada*",
        &"1".repeat(40),
        &format!("0x{}", "1".repeat(16)),
        &"2".repeat(40),
        &"b".repeat(40),
    ] {
        let plan = gpg(only(name)).plan();
        let [agent] = plan.key_agents.as_slice() else { panic!("{name}") };
        let [key] = agent.keys.as_slice() else { panic!("{name}") };
        assert_eq!((key.sign.as_slice(), key.decrypt.len()), (&["B".repeat(40)][..], 0), "{name}");
        assert_eq!(agent.agent, KeyAgentKind::Gpg);
    }
    let both =
        gpg(only("ada@example.org")).flags(|flags| flags.settings.gpg_agent_decrypt = Some(true)).plan();
    assert_eq!(both.key_agents[0].keys[0].decrypt, ["C".repeat(40)]);
    // Without a signing subkey it is the primary key.
    assert_eq!(gpg(only("work@example.org")).plan().key_agents[0].keys[0].sign, ["D".repeat(40)]);
    for nobody in ["example.org", "1111", "ADA@example.org"] {
        assert_eq!(gpg(only(nobody)).codes(), ["no-such-key"], "{nobody}");
    }
    let alone = ada().flags(|flags| flags.settings.gpg_agent_decrypt = Some(true));
    assert_eq!(alone.codes(), ["key-agent"]);
}

#[test]
fn an_agent_that_is_not_there_is_told_with_the_way_out() {
    let all = || Some(KeyChoice::All);
    let without = ssh(all()).with(|facts| facts.keys.ssh = None);
    let silent =
        ssh(all()).with(|facts| facts.keys.ssh.as_mut().unwrap().failed = Some("it sleeps".to_owned()));
    let empty = ssh(all()).with(|facts| facts.keys.ssh.as_mut().unwrap().keys.clear());
    let missing = gpg(all()).with(|facts| facts.keys.gpg = None);
    let nothing = gpg(all()).with(|facts| facts.keys.gpg.as_mut().unwrap().keys.clear());
    for (machine, words) in [
        (without, "SSH_AUTH_SOCK"),
        (silent, "it sleeps"),
        (empty, "no keys"),
        (missing, "gpgconf"),
        (nothing, "no secret key"),
    ] {
        let refusals = machine.refusals();
        let [refused @ PlanError::KeyAgent { .. }] = refusals.as_slice() else { panic!("{refusals:?}") };
        assert!(refused.to_string().contains(words), "{refused}");
        assert!(!refused.hint().is_empty());
    }
}

#[test]
fn whoever_wants_to_be_asked_has_to_be_askable() {
    let asked = ssh(Some(KeyChoice::All)).config("confirm_keys = true");
    let program = asked.plan().key_agents[0].confirm.clone();
    assert_eq!(program.as_deref(), Some("/usr/lib/ssh/x11-ssh-askpass".into()));
    let nobody = asked.clone().with(|facts| facts.keys.askpass = None);
    assert_eq!(nobody.codes(), ["nobody-asks"]);
    // Nor by a program that the agent could exchange.
    let inside = asked.with(|facts| facts.keys.askpass = Some(facts.project.path.join("ask")));
    assert_eq!(inside.codes(), ["host-executable"]);
}

#[test]
fn the_variable_is_the_sandboxs_own() {
    let passed = ssh(Some(KeyChoice::All)).secret_env("SSH_AUTH_SOCK").flags(|flags| {
        flags.settings.env.pass.push("SSH_AUTH_SOCK".to_owned());
    });
    assert_eq!(passed.codes(), ["variable-reserved"]);
}

#[test]
fn a_project_can_only_propose_keys() {
    let text =
        "ssh_agent = true\ngpg_agent = ['ada@example.org']\ngpg_agent_decrypt = true\nconfirm_keys = false";
    let plan = ada().project(text, false).plan();
    assert!(plan.key_agents.is_empty());
    assert_eq!(plan.proposals.len(), 4, "{:?}", plan.proposals);
    // It can take them away, and want that somebody is asked.
    let config = "ssh_agent = true";
    assert!(ada().config(config).project("ssh_agent = false", false).plan().key_agents.is_empty());
    let asked = ada().config(config).project("confirm_keys = true", false).plan();
    assert!(asked.key_agents[0].confirm.is_some());
}

#[test]
fn a_star_stands_for_anything() {
    for (filter, text, is) in [
        ("a", "a", true),
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "abc", true),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
        ("ab", "abc", false),
        ("*b", "abc", false),
    ] {
        assert_eq!(fits(filter, text), is, "{filter} {text}");
    }
}
