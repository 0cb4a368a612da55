use serde_json::{Value, json};

use super::{Difference, difference};
use crate::facts::PathKind::Folder;
use crate::fixture::Machine;
use crate::plan::NetworkTier;

fn plan(machine: &Machine) -> Value {
    serde_json::from_str(&crate::show::json::plan(&machine.plan()).unwrap()).unwrap()
}

fn between(before: &Machine, after: &Machine) -> Difference {
    difference(&plan(before), &plan(after))
}

fn ada() -> Machine {
    Machine::ada()
        .has("/home/ada/data", Folder)
        .has("/home/ada/other", Folder)
        .has("/home/ada/src/app/vendor", Folder)
}

/// With this in the user's file.
fn says(text: &str) -> Machine {
    ada().config(text)
}

fn mounts(source: &str, target: &str, access: &str) -> Machine {
    says(&format!("[[mount]]\nsource = '{source}'\ntarget = '{target}'\naccess = '{access}'\n"))
}

/// A step and its way back: which of them gives the agent more.
#[test]
fn what_grows_is_told_from_what_shrinks() {
    let steps = [
        ("a new mount", ada(), mounts("~/data", "/d", "ro")),
        ("ro to rw", mounts("~/data", "/d", "ro"), mounts("~/data", "/d", "rw")),
        ("no longer hidden", says("hide = ['vendor']"), ada()),
        ("no longer read-only", says("readonly = ['vendor']"), ada()),
        ("read-only instead of hidden", says("hide = ['vendor']"), says("readonly = ['vendor']")),
        ("the network", says("network = 'none'"), says("network = 'full'")),
        ("a new variable", ada(), says("env.set = { A = 'b' }")),
        ("a key", ada(), ada().secret_env("ANTHROPIC_API_KEY")),
        ("the login", says("auth = 'none'"), ada()),
        ("root inside", ada(), says("as_root_inside = true")),
        ("a state with content", says("state = 'fresh'"), ada()),
        ("unattended", ada(), says("unattended = true")),
        ("sandboxes inside", ada(), says("allow_nesting = true")),
        ("a kernel without Landlock", ada(), ada().with(|facts| facts.landlock_abi = None)),
        ("a kernel with less of it", ada(), ada().with(|facts| facts.landlock_abi = Some(5))),
        ("a folder that is trusted", ada(), says("trust_folder = true")),
    ];
    for (what, less, more) in steps {
        let there = between(&less, &more);
        assert!(there.grown && !there.is_empty(), "{what}: {there:?}");
        let back = between(&more, &less);
        assert!(!back.grown && !back.is_empty(), "{what}, back: {back:?}");
    }
}

/// Steps that give the agent something else, whichever way they go.
#[test]
fn something_else_counts_as_more() {
    let steps = [
        ("another source", mounts("~/data", "/d", "ro"), mounts("~/other", "/d", "ro")),
        ("another state", says("state = 'project'"), says("state = 'shared'")),
        ("another value", says("env.set = { A = 'b' }"), says("env.set = { A = 'c' }")),
        (
            "another login",
            ada(),
            ada().with(|facts| facts.login.as_mut().unwrap().file = "/home/ada/x/.credentials.json".into()),
        ),
        ("another endpoint", endpoint("https://one:443"), endpoint("https://other:443")),
    ];
    for (what, one, other) in steps {
        assert!(between(&one, &other).grown, "{what}");
        assert!(between(&other, &one).grown, "{what}, back");
    }
}

fn endpoint(label: &str) -> Machine {
    ada().with(|facts| {
        let fact = crate::facts::EnvFact::Redacted(label.to_owned());
        facts.environment.insert("ANTHROPIC_BASE_URL".to_owned(), fact);
    })
}

/// Whoever types a flag needs not be asked; what a flag takes away elsewhere is theirs, too.
#[test]
fn a_flag_is_a_difference_and_no_growth() {
    let flagged = [
        ada().mount(&["~/data:rw"]),
        ada().flags(|flags| {
            flags.settings.env.set.insert("A".to_owned(), "b".to_owned());
        }),
        ada().flags(|flags| flags.settings.as_root_inside = Some(true)),
    ];
    for machine in flagged {
        let found = between(&ada(), &machine);
        assert!(!found.grown && !found.is_empty(), "{found:?}");
    }
    let none = ada().flags(|flags| flags.settings.network = Some(NetworkTier::None));
    assert!(between(&none, &ada()).grown);
    // The next run without the flag loses something, and that is no growth.
    assert!(!between(&ada().mount(&["~/data:rw"]), &ada()).grown);
    // A flag's `hide` that is gone uncovers what a file decided about.
    let hidden =
        ada().flags(|flags| flags.settings.hide.push(crate::path::PathTemplate("vendor".to_owned())));
    assert!(between(&hidden, &ada()).grown);
}

#[test]
fn a_weaker_sandbox_has_grown() {
    let strong = plan(&ada());
    for (place, value) in [
        ("/hardening/namespaces", json!(["user", "mount", "pid", "ipc", "uts"])),
        ("/hardening/capabilities", json!(["CAP_NET_ADMIN"])),
        ("/hardening/read_only_root", json!(false)),
        ("/hardening/no_new_privileges", json!(false)),
        ("/hardening/die_with_parent", Value::Null),
        ("/backend/kind", json!("docker")),
    ] {
        let mut weak = strong.clone();
        *weak.pointer_mut(place).unwrap() = value;
        assert!(difference(&strong, &weak).grown, "{place}");
        assert_eq!(difference(&weak, &strong).grown, place == "/backend/kind", "{place}, back");
    }
}

/// What the sandbox makes of public text gives nothing of the host.
#[test]
fn what_is_made_is_no_growth() {
    let hidden = says("hide = ['/etc/hosts']");
    let offline = hidden.clone().project("network = 'none'", false);
    assert!(!between(&hidden, &offline).grown);
    // The user's own settings do.
    let settings = ada().with(|facts| {
        facts.settings.push(crate::facts::SettingsFact {
            file: "/home/ada/.claude/settings.json".into(),
            scope: crate::facts::SettingsScope::User,
            sha256: "00".to_owned(),
            broken: None,
            env: std::collections::BTreeMap::new(),
            redirects: Vec::new(),
        });
    });
    assert!(between(&ada(), &settings).grown);
}

#[test]
fn times_inodes_and_arguments_are_no_difference() {
    let others = [
        ada().with(|facts| facts.now_ms += 60_000),
        ada().with(|facts| facts.paths.values_mut().for_each(|fact| fact.ino += 1)),
        ada().flags(|flags| flags.agent_args = vec!["-p".to_owned(), "hi".to_owned()]),
        ada().with(|facts| {
            let crate::sign_in::shape::LoginShape::Login(details) = &mut facts.login.as_mut().unwrap().shape
            else {
                panic!("no login");
            };
            details.expires_at_ms = None;
        }),
        ada().with(|facts| {
            facts.environment.insert("TERM".to_owned(), crate::facts::EnvFact::Value("dumb".to_owned()));
        }),
        ada().project("unattended = true", false),
    ];
    for other in others {
        assert_eq!(between(&ada(), &other), Difference::default());
    }
}

#[test]
fn what_differs_is_named() {
    let found = between(&ada().mount(&["~/data"]), &ada().mount(&["~/data:rw", "~/other"]));
    assert_eq!(found.added, ["mount /home/ada/other ro /home/ada/other"]);
    assert_eq!(found.changed, ["mount /home/ada/data ro /home/ada/data -> rw /home/ada/data"]);
    assert!(found.removed.is_empty(), "{found:?}");
    let found = between(&ada().config("env.set = { A = 'b' }"), &ada().config("hide = ['vendor']"));
    assert_eq!(found.added, ["mount /home/ada/src/app/vendor hidden"]);
    assert_eq!(found.removed, ["env A b"]);
}

/// Whatever lies in the file of the last plan, it is compared and nothing panics.
#[test]
fn an_earlier_plan_that_is_none_differs_in_everything() {
    let now = plan(&ada());
    for earlier in [json!(null), json!([]), json!({}), json!({"mounts": 5, "environment": "x"})] {
        assert!(difference(&earlier, &now).grown, "{earlier}");
        assert!(!difference(&now, &earlier).removed.is_empty(), "{earlier}");
    }
    let odd = json!({"mounts": [1, {"op": 2, "target": []}], "environment": [null, [], {}]});
    assert!(difference(&odd, &now).grown);
    assert!(!difference(&now, &odd).removed.is_empty());
}
