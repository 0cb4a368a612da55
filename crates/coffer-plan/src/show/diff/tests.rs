use serde_json::{Value, json};

use super::{Difference, difference};
use crate::facts::PathKind::Folder;
use crate::fixture::Machine;
use crate::plan::{AuthMode, NetworkTier, StateMode};

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

/// A step and its way back: which of them gives the agent more.
#[test]
fn what_grows_is_told_from_what_shrinks() {
    let hide = |machine: Machine| machine.config("hide = ['vendor']");
    let readonly = |machine: Machine| machine.config("readonly = ['vendor']");
    let tier = |tier| ada().flags(|flags| flags.settings.network = Some(tier));
    let steps = [
        ("a new mount", ada(), ada().mount(&["~/data"])),
        ("ro to rw", ada().mount(&["~/data"]), ada().mount(&["~/data:rw"])),
        ("no longer hidden", hide(ada()), ada()),
        ("no longer read-only", readonly(ada()), ada()),
        ("read-only instead of hidden", hide(ada()), readonly(ada())),
        ("the network", tier(NetworkTier::None), tier(NetworkTier::Full)),
        ("a new variable", ada(), ada().config("env.set = { A = 'b' }")),
        ("a key", ada(), ada().secret_env("ANTHROPIC_API_KEY")),
        ("the login", ada().flags(|flags| flags.settings.auth = Some(AuthMode::None)), ada()),
        ("root inside", ada(), ada().flags(|flags| flags.settings.as_root_inside = Some(true))),
        ("a state with content", ada().flags(|flags| flags.settings.state = Some(StateMode::Fresh)), ada()),
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
    let state = |mode| ada().flags(|flags| flags.settings.state = Some(mode));
    let steps = [
        ("another source", ada().mount(&["~/data:/d"]), ada().mount(&["~/other:/d"])),
        ("another state", state(StateMode::Project), state(StateMode::Shared)),
        ("another value", ada().config("env.set = { A = 'b' }"), ada().config("env.set = { A = 'c' }")),
        (
            "another login",
            ada(),
            ada().with(|facts| facts.login.as_mut().unwrap().file = "/home/ada/x/.credentials.json".into()),
        ),
    ];
    for (what, one, other) in steps {
        assert!(between(&one, &other).grown, "{what}");
        assert!(between(&other, &one).grown, "{what}, back");
    }
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
        assert!(!difference(&now, &earlier).grown, "{earlier}");
    }
    let odd = json!({"mounts": [1, {"op": 2, "target": []}], "environment": [null, [], {}]});
    assert!(difference(&odd, &now).grown);
    assert!(!difference(&now, &odd).removed.is_empty());
}
