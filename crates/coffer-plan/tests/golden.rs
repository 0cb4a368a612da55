//! Golden folders: `facts.json` + config → `plan.json` and `audit.txt`, and what holds for all of them.
//! `UPDATE_EXPECT=1` writes what differs; read the difference before committing it.

mod common;

use coffer_plan::show::audit::{Style, audit};
use coffer_plan::show::json;
use expect_test::expect_file;
use serde_json::Value;

#[test]
fn every_folder_gives_its_plan_and_its_audit() {
    let cases = common::cases();
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    for case in cases {
        let made = case.make().unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let plan = json::plan(&made.plan).unwrap() + "\n";
        expect_file![case.folder.join("plan.json")].assert_eq(&plan);
        expect_file![case.folder.join("audit.txt")].assert_eq(&audit(&made.plan, Style { color: false }));
    }
}

#[test]
fn the_published_schema_fits_every_plan() {
    let schema = jsonschema::validator_for(&json::schema()).unwrap();
    for case in common::cases() {
        let plan: Value = serde_json::from_str(&json::plan(&case.make().unwrap().plan).unwrap()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", case.name());
    }
}

#[test]
fn the_published_schema_rejects_what_is_no_plan() {
    let schema = jsonschema::validator_for(&json::schema()).unwrap();
    let plan: Value =
        serde_json::from_str(&json::plan(&common::case("plain").make().unwrap().plan).unwrap()).unwrap();
    assert!(schema.is_valid(&plan));
    let mutations: [(&str, Value); 8] = [
        ("/schema", "1".into()),
        ("/network/tier", "wide".into()),
        ("/mounts/0/op", "chroot".into()),
        ("/mounts/0/origin/layer", "nobody".into()),
        ("/identity/uid", (-1).into()),
        ("/environment", Value::Null),
        ("/environment/0/class", "secret".into()),
        ("/credential/mode", "copy".into()),
    ];
    for (place, value) in mutations {
        let mut mutated = plan.clone();
        *mutated.pointer_mut(place).unwrap_or_else(|| panic!("{place} is not there")) = value;
        assert!(!schema.is_valid(&mutated), "{place}");
    }
    for key in plan.as_object().unwrap().keys() {
        let mut without = plan.clone();
        without.as_object_mut().unwrap().remove(key);
        assert!(!schema.is_valid(&without), "without {key}");
    }
}

#[test]
fn facts_are_written_as_they_were_read() {
    for case in common::cases() {
        let text = serde_json::to_string(&case.facts).unwrap();
        let again: coffer_plan::facts::HostFacts = serde_json::from_str(&text).unwrap();
        assert_eq!(again, case.facts, "{}", case.name());
    }
}
