use coffer_plan::facts::{EngineFacts, EngineTrouble, ImageFact};
use coffer_plan::plan::BackendKind;

use super::{EngineSeen, of, text};

const IMAGE: &str = "localhost/coffer-claude:latest";

fn engine(change: impl FnOnce(&mut EngineFacts)) -> EngineSeen {
    let facts = include_str!("../../../../../coffer-plan/tests/golden/plain/facts.json");
    let mut facts = coffer_host::load(facts, "plain").unwrap();
    let mut engine = EngineFacts {
        kind: BackendKind::Podman,
        program: Some("/usr/bin/podman".into()),
        version: Some("4.3.1".to_owned()),
        connection: Vec::new(),
        rootless: true,
        remaps_ids: false,
        controllers: vec!["memory".to_owned(), "pids".to_owned()],
        selinux: false,
        mounted: Vec::new(),
        image: Some(ImageFact {
            id: "sha256:0".to_owned(),
            architecture: "amd64".to_owned(),
            environment: std::collections::BTreeMap::new(),
            volumes: Vec::new(),
            agent_version: None,
        }),
        trouble: None,
    };
    change(&mut engine);
    facts.engine = Some(engine);
    of(BackendKind::Podman, &facts, IMAGE)
}

#[test]
fn an_engine_with_everything_is_told_in_one_line() {
    let whole = engine(|_| ());
    assert!(whole.usable && whole.missing.is_none() && whole.fix.is_none(), "{whole:?}");
    assert_eq!(text(&[whole]), "engine podman: usable (4.3.1; rootless; limits: memory, pids)\n");
}

#[test]
fn what_is_missing_is_told_with_the_fix() {
    let no_image = engine(|engine| engine.image = None);
    assert!(no_image.usable && no_image.missing.as_ref().unwrap().contains(IMAGE), "{no_image:?}");
    assert!(text(&[no_image]).contains("  fix: `coffer image build`"));
    let no_ids = engine(|engine| engine.trouble = Some(EngineTrouble::NoSubordinateIds));
    assert!(!no_ids.usable && no_ids.fix.as_ref().unwrap().contains("--add-subuids"), "{no_ids:?}");
    let down = engine(|engine| {
        engine.version = None;
        engine.trouble = Some(EngineTrouble::Down { at: "/run/x.sock".to_owned() });
    });
    assert_eq!((down.rootless, down.usable), (None, false));
    assert!(text(&[down]).starts_with("engine podman: not usable\n  missing: podman does not answer at"));
    let none = engine(|engine| engine.program = None);
    assert_eq!(text(&[none]), "engine podman: not there\n");
}
