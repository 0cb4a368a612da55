//! Each check is provoked once, on a machine that is well otherwise; on that machine none finds anything.

use coffer_host::Mounted;
use coffer_ledger::{Broken, Verified, Why};
use coffer_plan::built_in;
use coffer_plan::facts::{EnvFact, HostFacts, LoginFact, SettingsFact, SettingsScope, ToolFact};
use coffer_plan::sign_in::shape::{LoginDetails, LoginShape, fingerprint, read};

use super::deferred::Deferred;
use super::fix::Unlock;
use super::scene::{ClientContent, ClientFile, Lock, LoginPlace, OwnFile};
use super::*;
use crate::commands::status::look::{Looked, judge};

const HOUR: i64 = 3_600_000;

/// An ordinary user's machine on which all is well.
fn well() -> Scene {
    let facts = include_str!("../../../../coffer-plan/tests/golden/plain/facts.json");
    let mut facts = coffer_host::load(facts, "plain").unwrap();
    facts.folders.data = "/home/ada/.local/share/cofferdam".into();
    facts.bubblewrap = Some(ToolFact { path: "/usr/bin/bwrap".into(), version: Some("0.11.0".to_owned()) });
    facts.settings.clear();
    let groups = ["memory", "pids"].map(|name| (name.to_owned(), format!("/cg/{name}").into()));
    facts.cgroups.v1_places = groups.into();
    let now_ms = facts.now_ms;
    facts.login.as_mut().unwrap().shape = LoginShape::Login(LoginDetails {
        refresh_token: true,
        fingerprint: Some(fingerprint("sk-ant-ort01-FAKE-1")),
        expires_at_ms: Some(now_ms + HOUR),
        login_expires_at_ms: Some(now_ms + 20 * 24 * HOUR),
        scopes: vec!["user:inference".to_owned()],
        subscription: Some("max".to_owned()),
    });
    let login = facts.login.clone().unwrap();
    let verified =
        Verified { entries: 1, last: None, last_at: None, clock_went_back: 0, unfinished: 0, broken: None };
    let file = facts.user.home.as_ref().unwrap().join(".claude.json");
    let place = LoginPlace {
        account: "host".to_owned(),
        folder: login.folder.clone(),
        file: login.file.clone(),
        folder_owned: Some((facts.user.uid, 0o700)),
        link: None,
        exists: true,
        is_folder: false,
        folder_writable: true,
        parent_writable: true,
    };
    let unlock = Unlock {
        path: "/l".into(),
        folder: "/".into(),
        names: Vec::new(),
        account: "/a".into(),
        ledger: "/g".into(),
    };
    Scene {
        looked: judged(facts),
        places: vec![place],
        mounts: vec![Mounted { target: "/".into(), root: "/".to_owned(), read_only: false }],
        settings_keys: vec![("/s.json".into(), vec!["env".to_owned(), "model".to_owned()])],
        client: Some(ClientFile {
            file,
            content: Some(ClientContent { onboarded: true }),
            newest_backup: Some("/home/ada/.claude/backups/.claude.json.backup.1".into()),
        }),
        locks: vec![Lock { path: "/l".into(), modified_ms: now_ms - 10_000, unlock }],
        other_logins: vec![(login.file, Some(fingerprint("sk-ant-ort01-FAKE-1")))],
        home_owner: Some(1000),
        ledger: Ok(verified),
        journals: Vec::new(),
        identity: Ok(()),
        own: vec![OwnFile { path: "/d".into(), mode: 0o700 }, OwnFile { path: "/d/f".into(), mode: 0o600 }],
        other_data: Vec::new(),
        lockable: Some(8 << 20),
        swaps: true,
        left: Vec::new(),
        deferred: Vec::new(),
        placeholders: Vec::new(),
        marks: vec![("a".to_owned(), now_ms - HOUR), ("b".to_owned(), now_ms + 60_000)],
    }
}

/// As `status` judges these facts.
fn judged(facts: HostFacts) -> Looked {
    judge(facts, built_in::agent("claude").unwrap())
}

/// Changes a fact of the scene, and judges anew.
fn facts(scene: &mut Scene, change: impl FnOnce(&mut HostFacts)) {
    let mut facts = scene.looked.facts.clone();
    change(&mut facts);
    scene.looked = judged(facts);
}

fn login(scene: &mut Scene, change: impl FnOnce(&mut LoginFact)) {
    facts(scene, |facts| change(facts.login.as_mut().unwrap()));
}

fn details(scene: &mut Scene, change: impl FnOnce(&mut LoginDetails)) {
    login(scene, |login| match &mut login.shape {
        LoginShape::Login(details) => change(details),
        other => panic!("{other:?}"),
    });
}

fn settings(scope: SettingsScope) -> SettingsFact {
    SettingsFact {
        file: "/s.json".into(),
        scope,
        sha256: String::new(),
        broken: None,
        env: Default::default(),
        redirects: Vec::new(),
    }
}

fn mount(scene: &mut Scene, root: &str, read_only: bool) {
    let target = scene.places[0].file.clone();
    scene.mounts.push(Mounted { target, root: root.to_owned(), read_only });
}

type Provoke = fn(&mut Scene);

/// What brings each check about.
const PROVOKED: &[(&str, Provoke)] = &[
    ("login-missing", |scene| login(scene, |login| login.shape = LoginShape::Missing)),
    ("login-corrupted", |scene| login(scene, |login| login.shape = read(b""))),
    ("login-expired", |scene| {
        let now = scene.looked.facts.now_ms;
        details(scene, |login| (login.refresh_token, login.expires_at_ms) = (false, Some(now - 1)));
    }),
    ("login-scope", |scene| details(scene, |login| login.scopes.clear())),
    ("login-ends-soon", |scene| {
        let now = scene.looked.facts.now_ms;
        details(scene, |login| login.login_expires_at_ms = Some(now + 24 * HOUR));
    }),
    ("login-odd-end", |scene| details(scene, |login| login.expires_at_ms = Some(1_795_000_000))),
    ("login-mode", |scene| {
        login(scene, |login| login.uid_mode = login.uid_mode.map(|(uid, _)| (uid, 0o644)))
    }),
    ("login-owner", |scene| login(scene, |login| login.uid_mode = Some((4242, 0o600)))),
    ("login-link", |scene| scene.places[0].link = Some("../elsewhere".to_owned())),
    ("login-other-folder", |scene| {
        let folder = scene.looked.facts.login.as_ref().unwrap().folder.clone();
        let host = &mut scene.looked.accounts[0];
        host.verified.findings.push(coffer_plan::sign_in::verify::Finding {
            cause: coffer_plan::sign_in::verify::Cause::OtherFolder,
            text: format!("{folder} is another"),
        });
    }),
    ("login-twice", |scene| {
        let same = scene.other_logins[0].1.clone();
        scene.other_logins.push(("/home/ada/other/.credentials.json".into(), same));
    }),
    ("login-file-mount", |scene| mount(scene, "/srv/.credentials.json", false)),
    ("login-detached", |scene| mount(scene, "/srv/.credentials.json//deleted", false)),
    ("login-read-only", |scene| scene.places[0].folder_writable = false),
    ("login-is-folder", |scene| scene.places[0].is_folder = true),
    ("login-elsewhere", |scene| {
        scene.other_logins.push(("/home/ada/other/.credentials.json".into(), None));
    }),
    ("config-folder-moved", |scene| {
        facts(scene, |facts| {
            facts.environment.insert("CLAUDE_CONFIG_DIR".to_owned(), EnvFact::Value("/elsewhere".to_owned()));
        });
    }),
    ("key-overrides-login", |scene| {
        facts(scene, |facts| {
            facts.environment.insert("ANTHROPIC_API_KEY".to_owned(), EnvFact::Redacted("set".to_owned()));
        });
    }),
    ("settings-broken", |scene| {
        facts(scene, |facts| {
            let broken = Some("not JSON (line 1, column 2)".to_owned());
            facts.settings.push(SettingsFact { broken, ..settings(SettingsScope::User) });
        });
    }),
    ("settings-outside-env", |scene| scene.settings_keys[0].1.push("ANTHROPIC_MODEL".to_owned())),
    ("endpoint-redirected", |scene| {
        facts(scene, |facts| {
            let label = EnvFact::Redacted("http://127.0.0.1:1".to_owned());
            facts.environment.insert("ANTHROPIC_BASE_URL".to_owned(), label);
        });
    }),
    ("project-redirects", |scene| {
        facts(scene, |facts| {
            let redirects = vec!["apiKeyHelper2".to_owned()];
            facts.settings.push(SettingsFact { redirects, ..settings(SettingsScope::Project) });
        });
    }),
    ("key-placeholder", |scene| scene.placeholders.push("ANTHROPIC_API_KEY".to_owned())),
    ("project-executes", |scene| {
        let run = "0123456789abcdef".to_owned();
        scene.deferred.push(Deferred { file: "/p/.git/hooks/pre-commit".into(), run });
    }),
    ("client-json-missing", |scene| scene.client.as_mut().unwrap().content = None),
    ("onboarding", |scene| {
        scene.client.as_mut().unwrap().content = Some(ClientContent { onboarded: false });
    }),
    ("client-lock-old", |scene| scene.locks[0].modified_ms -= HOUR),
    ("client-lock-future", |scene| scene.locks[0].modified_ms += HOUR),
    ("limits-missing", |scene| facts(scene, |facts| facts.cgroups.v1_places.clear())),
    ("secrets-swapped", |scene| scene.lockable = Some(64 << 10)),
    ("home-foreign", |scene| scene.home_owner = Some(4242)),
    ("userns-off", |scene| facts(scene, |facts| facts.user_namespaces.max = Some(0))),
    ("userns-apparmor", |scene| facts(scene, |facts| facts.user_namespaces.apparmor_restricts = Some(true))),
    ("bwrap-missing", |scene| facts(scene, |facts| facts.bubblewrap = None)),
    ("bwrap-old", |scene| {
        facts(scene, |facts| facts.bubblewrap.as_mut().unwrap().version = Some("0.8.0".to_owned()));
    }),
    ("agent-missing", |scene| facts(scene, |facts| facts.agent = None)),
    ("agent-version", |scene| facts(scene, |facts| facts.agent.as_mut().unwrap().version = None)),
    ("agent-hazard", |scene| {
        facts(scene, |facts| facts.agent.as_mut().unwrap().version = Some("2.1.300".to_owned()));
    }),
    ("clock", |scene| scene.marks[1].1 += HOUR),
    ("ledger-broken", |scene| {
        scene.ledger.as_mut().unwrap().broken = Some(Broken { line: 3, why: Why::Changed });
    }),
    ("journal-unfinished", |scene| scene.journals.push(("dev".to_owned(), "/d/journal.json".into()))),
    ("identity-unreachable", |scene| scene.identity = Err(("it is locked".to_owned(), None))),
    ("own-mode", |scene| scene.own[0].mode = 0o755),
    ("own-unread", |scene| scene.looked.unread.push("the account `bad` cannot be read".to_owned())),
    ("two-data-folders", |scene| scene.other_data.push("/elsewhere/cofferdam".into())),
    ("run-leftovers", |scene| scene.left.push("/run/user/1000/cofferdam/runs/0".into())),
];

fn ids(scene: &Scene) -> Vec<&'static str> {
    examine(scene).into_iter().map(|finding| finding.id).collect()
}

#[test]
fn where_all_is_well_nothing_is_found() {
    assert_eq!(ids(&well()), Vec::<&str>::new());
}

#[test]
fn each_check_sees_what_it_is_for_and_most_see_nothing_else() {
    // A mount of its own that was replaced is both, a copy lies elsewhere, harmful versions are not used, and each limit
    // is told by itself.
    let both = ["login-detached", "login-twice", "agent-hazard", "limits-missing"];
    for (id, provoke) in PROVOKED {
        let mut scene = well();
        provoke(&mut scene);
        let found = ids(&scene);
        assert!(found.contains(id), "{id}: {found:?}");
        assert!(found.len() == 1 || both.contains(id), "{id}: {found:?}");
    }
}

#[test]
fn every_check_is_provoked_and_has_a_name_of_its_own() {
    let mut provoked: Vec<&str> = PROVOKED.iter().map(|(id, _)| *id).collect();
    let mut all: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    provoked.sort_unstable();
    all.sort_unstable();
    assert_eq!(provoked, all);
    all.dedup();
    assert_eq!(all.len(), CHECKS.len());
}

#[test]
fn what_is_told_has_a_reason_and_a_way_out() {
    for (id, provoke) in PROVOKED {
        let mut scene = well();
        provoke(&mut scene);
        let findings = examine(&scene);
        for finding in &findings {
            assert!(!finding.why.is_empty() && !finding.fix.is_empty(), "{id}");
            assert_eq!(finding.fixable, finding.applied_by.is_some());
        }
        let text = text(&findings);
        assert!(text.contains(&format!("[{id}]")) && text.contains("  fix: "), "{text}");
    }
}

#[test]
fn a_lock_of_a_young_age_or_a_clock_some_minutes_off_is_nothing() {
    let mut scene = well();
    scene.locks[0].modified_ms += 5_000;
    scene.marks[1].1 += 3 * 60_000;
    assert_eq!(ids(&scene), Vec::<&str>::new());
}

#[test]
fn versions_outside_of_the_measured_bounds_are_no_hazard() {
    for (version, is_one) in [
        ("1.0.128", true),
        ("2.0.77", false),
        ("2.1.113", false),
        ("2.1.118", true),
        ("2.1.300", true),
        ("2.1.301", false),
        ("2.1.330", false),
    ] {
        let mut scene = well();
        facts(&mut scene, |facts| facts.agent.as_mut().unwrap().version = Some(version.to_owned()));
        assert_eq!(ids(&scene).contains(&"agent-hazard"), is_one, "{version}");
    }
}

#[test]
fn root_needs_no_leave_for_user_namespaces() {
    let mut scene = well();
    facts(&mut scene, |facts| {
        facts.user_namespaces.apparmor_restricts = Some(true);
        facts.user_namespaces.unprivileged_clone = Some(false);
        facts.user.uid = 0;
        facts.login.as_mut().unwrap().uid_mode = Some((0, 0o600));
    });
    scene.home_owner = Some(0);
    assert_eq!(ids(&scene), Vec::<&str>::new());
}

mod fixes {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

    use camino::Utf8PathBuf;

    use super::super::fix::Fix;

    fn file(mode: u32) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("file")).unwrap();
        std::fs::write(&path, "mine").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_is_closed_and_a_link_is_not_followed() {
        let (folder, path) = file(0o644);
        let fix = Fix::Close { path: path.clone(), mode: 0o600, was: 0o644 };
        fix.apply().unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let link = Utf8PathBuf::from_path_buf(folder.path().join("link")).unwrap();
        symlink(&path, &link).unwrap();
        let fix = Fix::Close { path: link, mode: 0o600, was: 0o644 };
        assert!(fix.apply().is_err());
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o644);
    }
}
