use std::os::unix::fs::MetadataExt;

use serde_json::{Map, Value, json};

use super::{Ground, fifo, read};
use crate::run::RunError;
use crate::run::beneath::Folder;
use crate::run::seed::{add_missing, merge};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

/// What is there, what is sown, what comes of it.
#[test]
fn what_is_there_stays_and_what_is_missing_is_added() {
    for (there, seed, merged) in [
        (json!({}), json!({"a": 1}), json!({"a": 1})),
        (json!({"a": 2}), json!({"a": 1}), json!({"a": 2})),
        (json!({"a": false}), json!({"a": true}), json!({"a": false})),
        (json!({"a": null}), json!({"a": 1}), json!({"a": null})),
        (json!({"b": 1}), json!({"a": 1}), json!({"b": 1, "a": 1})),
        (json!({"p": {"x": 1}}), json!({"p": {"y": 2}}), json!({"p": {"x": 1, "y": 2}})),
        (
            json!({"p": {"x": {"t": 1}}}),
            json!({"p": {"x": {"t": 2, "u": 3}}}),
            json!({"p": {"x": {"t": 1, "u": 3}}}),
        ),
        // Of another type: the user's word.
        (json!({"p": []}), json!({"p": {"x": 1}}), json!({"p": []})),
        (json!({"p": {"x": 1}}), json!({"p": 5}), json!({"p": {"x": 1}})),
        (json!({"a": [1]}), json!({"a": [2]}), json!({"a": [1]})),
        (json!({"a": 1}), json!({}), json!({"a": 1})),
    ] {
        let mut content = object(there.clone());
        let changed = add_missing(&mut content, object(seed.clone()));
        assert_eq!(Value::Object(content.clone()), merged, "{there} + {seed}");
        assert_eq!(changed, there != merged, "{there} + {seed}");
        // Sown twice is sown once.
        assert!(!add_missing(&mut content, object(seed)));
    }
}

fn sow(ground: &Ground, seed: &str) -> Result<(), RunError> {
    merge(&Folder::open(&ground.path()).unwrap(), "config.json", seed.as_bytes())
}

#[test]
fn a_file_is_made_filled_and_left_alone() {
    let ground = Ground::new();
    let path = ground.path().join("config.json");
    sow(&ground, r#"{"a": 1}"#).unwrap();
    assert_eq!(read(&path), "{\n  \"a\": 1\n}");
    ground.write("config.json", "");
    sow(&ground, r#"{"a": 1}"#).unwrap();
    assert_eq!(read(&path), "{\n  \"a\": 1\n}");
    // Nothing is missing, so nothing is written: not even in another style.
    ground.write("config.json", "{ \"a\" : 5 }");
    let before = path.metadata().unwrap().ino();
    sow(&ground, r#"{"a": 1}"#).unwrap();
    assert_eq!((read(&path).as_str(), path.metadata().unwrap().ino()), ("{ \"a\" : 5 }", before));
}

#[test]
fn the_users_own_keys_keep_their_order_and_content() {
    let ground = Ground::new();
    let path = ground
        .write("config.json", r#"{"z":1,"b":{"y":"é\u0000","a":[1,2.5]},"numStartups":12345678901234}"#);
    sow(&ground, r#"{"hasCompletedOnboarding": true}"#).unwrap();
    let merged: Value = serde_json::from_str(&read(&path)).unwrap();
    let keys: Vec<&String> = merged.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["z", "b", "numStartups", "hasCompletedOnboarding"]);
    assert_eq!(merged["b"], json!({"y": "é\u{0}", "a": [1, 2.5]}));
}

#[test]
fn what_is_no_object_is_left_as_it_is() {
    for content in ["[]", "null", "{", "{\"a\":1}x", "\u{feff}{}", "text", "{\"a\":1}{\"b\":2}"] {
        let ground = Ground::new();
        let path = ground.write("config.json", content);
        let error = sow(&ground, r#"{"a": 1}"#).unwrap_err();
        assert!(matches!(error, RunError::StateNotJson { .. }), "{content}: {error:?}");
        assert!(error.hint().unwrap().contains(path.as_str()));
        assert_eq!((read(&path).as_str(), ground.names()), (content, vec!["config.json".to_owned()]));
    }
    // So deep that a reader by recursion would fall.
    let ground = Ground::new();
    ground.write("config.json", "{\"a\":".repeat(100_000));
    assert!(matches!(sow(&ground, r#"{"a": 1}"#), Err(RunError::StateNotJson { .. })));
}

#[test]
fn a_seed_that_is_no_object_is_refused() {
    for seed in ["", "[]", "null", "{"] {
        let ground = Ground::new();
        assert!(matches!(sow(&ground, seed), Err(RunError::Tampered { .. })), "{seed}");
        assert!(ground.names().is_empty());
    }
}

#[test]
fn what_an_agent_left_in_its_place_is_not_followed() {
    let outside = Ground::new();
    let end = outside.write("end", "{}");
    let links: [fn(&Ground, &camino::Utf8Path); 3] = [
        |ground, end| drop(ground.link("config.json", end)),
        |ground, end| std::fs::hard_link(end, ground.path().join("config.json")).unwrap(),
        |ground, _| fifo(&ground.path().join("config.json")),
    ];
    for leave in links {
        let ground = Ground::new();
        leave(&ground, &end);
        assert!(matches!(sow(&ground, r#"{"a": 1}"#), Err(RunError::Tampered { .. })));
        assert_eq!(read(&end), "{}");
    }
}
