use super::git_changes::{Change, changes, running, unknown};
use super::{DeferredPath, GitKeys, rules};
use crate::built_in;
use crate::origin::{Decided, Origin, OriginLayer};

fn keys() -> GitKeys {
    built_in::deferred().unwrap().git_keys
}

const BEFORE: &str = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://example.invalid/x\n\
                      [branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n";

/// The keys that changed, and whether each reaches the host.
fn judged(after: &str) -> Vec<(String, bool)> {
    let found = changes(BEFORE, after, &keys()).unwrap();
    found.into_iter().map(|Change { key, harmless, .. }| (key.dotted(), harmless)).collect()
}

#[track_caller]
fn assert_judged(more: &str, expected: &[(&str, bool)]) {
    let expected: Vec<_> = expected.iter().map(|(key, harmless)| ((*key).to_owned(), *harmless)).collect();
    assert_eq!(judged(&format!("{BEFORE}{more}")), expected, "{more}");
}

#[test]
fn every_entry_of_the_lists_has_a_reason_and_stands_once() {
    let data = built_in::deferred().unwrap();
    let mut paths: Vec<&str> = data.paths.iter().map(|path| path.path.as_str()).collect();
    assert!(data.paths.iter().all(|path| !path.reason.is_empty()));
    paths.sort_unstable();
    assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
    let keys: Vec<&str> = data.git_keys.runs.iter().map(|rule| rule.key.as_str()).collect();
    for rule in &data.git_keys.harmless {
        assert!(!keys.contains(&rule.key.as_str()), "{} is both", rule.key);
        assert!(!rule.reason.is_empty() && rule.key == rule.key.to_lowercase());
    }
    assert!(
        data.git_keys.runs.iter().all(|rule| !rule.reason.is_empty() && rule.key == rule.key.to_lowercase())
    );
}

#[test]
fn following_a_known_remote_is_harmless() {
    assert_judged("", &[]);
    let followed = "[branch \"x\"]\nremote = origin\nmerge = refs/heads/x\nrebase = true\n";
    assert_judged(
        followed,
        &[("branch.x.merge", true), ("branch.x.rebase", true), ("branch.x.remote", true)],
    );
    assert_judged("[branch \"x\"]\nremote = .\n", &[("branch.x.remote", true)]);
    // A branch that goes takes its settings along.
    let gone = BEFORE.split("[branch").next().unwrap();
    assert_eq!(
        judged(gone),
        [("branch.main.merge".to_owned(), true), ("branch.main.remote".to_owned(), true)]
    );
}

#[test]
fn what_redirects_or_runs_waits() {
    for (more, key) in [
        ("[branch \"x\"]\nremote = https://evil.invalid\n", "branch.x.remote"),
        ("[branch \"x\"]\nremote = ext::sh\n", "branch.x.remote"),
        ("[branch \"x\"]\nremote\n", "branch.x.remote"),
        ("[branch \"x\"]\nmerge = main\n", "branch.x.merge"),
        ("[branch \"x\"]\nmergeoptions = --strategy=evil\n", "branch.x.mergeoptions"),
        ("[remote \"origin\"]\npushurl = https://evil.invalid\n", "remote.origin.pushurl"),
        ("[remote \"new\"]\nurl = x\n", "remote.new.url"),
        ("[core]\nfsmonitor = evil\n", "core.fsmonitor"),
        ("[core]\nhooksPath = evil\n", "core.hookspath"),
        ("[include]\npath = evil\n", "include.path"),
        ("[alias]\nst = !evil\n", "alias.st"),
        ("[user]\nname = other\n", "user.name"),
        ("[extensions]\nworktreeConfig = true\n", "extensions.worktreeconfig"),
        ("[filter \"x\"]\nclean = evil\n", "filter.x.clean"),
        ("[submodule \"x\"]\nurl = x\n", "submodule.x.url"),
    ] {
        assert_judged(more, &[(key, false)]);
    }
}

/// A remote that the run made is none that the branch may follow unasked; half of a branch's settings stay away, too.
#[test]
fn settings_of_a_branch_reach_the_host_as_a_whole_or_not_at_all() {
    let more = "[remote \"new\"]\nurl = x\n[branch \"x\"]\nremote = new\nmerge = refs/heads/x\n";
    let expected = [("branch.x.merge", false), ("branch.x.remote", false), ("remote.new.url", false)];
    assert_judged(more, &expected);
}

#[test]
fn what_git_would_refuse_changes_nothing() {
    assert_eq!(changes(BEFORE, "[core\n", &keys()), None);
    assert_eq!(running("x = before any section", &keys()), None);
}

#[test]
fn a_value_that_git_runs_is_known_in_every_spelling() {
    for (text, count) in [
        ("[core]\nbare = true\n[alias]\nst = status\n", 0),
        ("[CORE]\nFsMonitor = evil\n", 1),
        ("[core] fsmonitor = evil\n", 1),
        ("[alias]\nst = !evil\n", 1),
        ("[alias \"st\"]\ncommand = !evil\n", 1),
        ("[include]\npath = x\n[includeIf \"gitdir:/\"]\npath = y\n", 2),
        ("[credential \"https://x\"]\nhelper = evil\n[credential]\nhelper = evil\n", 2),
        ("[submodule \"x\"]\nupdate = rebase\n", 0),
        ("[submodule \"x\"]\nupdate = !evil\n", 1),
        ("[gpg \"ssh\"]\ndefaultKeyCommand = evil\n", 1),
        ("[url \"ext::sh\"]\ninsteadOf = x\n[protocol \"ext\"]\nallow = always\n", 1),
    ] {
        assert_eq!(running(text, &keys()).unwrap().len(), count, "{text}");
    }
}

#[test]
fn a_layer_adds_to_the_list_and_takes_nothing_away() {
    let data = built_in::deferred().unwrap();
    let agents: Vec<_> = built_in::agents().unwrap().into_values().collect();
    let said = |path: &str| Decided::new(path.to_owned(), Origin::new(OriginLayer::ProjectFile, "protect"));
    let before = rules(&data, &agents, &[]);
    let after = rules(&data, &agents, &[said("ci/deploy.sh"), said(".vscode"), said(".github/workflows")]);
    assert_eq!(after.len(), before.len() + 1);
    let of = |path: &str| after.iter().find(|rule| rule.path.path == path).unwrap();
    assert_eq!(of("ci/deploy.sh").origin.layer, OriginLayer::ProjectFile);
    assert_eq!(of(".vscode").origin.layer, OriginLayer::BuiltIn);
    assert_eq!(of(".claude").origin.layer, OriginLayer::Agent);
    // What is told only is protected by a word more.
    let DeferredPath { warn, .. } = &of(".github/workflows").path;
    assert!(!warn && before.iter().any(|rule| rule.path.path == ".github/workflows" && rule.path.warn));
}

#[test]
fn a_branch_of_before_is_not_sent_elsewhere_unasked() {
    let before = format!("{BEFORE}[remote \"public\"]\n\turl = https://example.invalid/y\n");
    let judged = |after: &str| -> Vec<(String, bool)> {
        let found = changes(&before, after, &keys()).unwrap().into_iter();
        found.map(|change| (change.key.dotted(), change.harmless)).collect()
    };
    for (more, key) in [
        ("[branch \"main\"]\npushRemote = public\n", "branch.main.pushremote"),
        ("[branch \"main\"]\nmerge = refs/heads/other\n", "branch.main.merge"),
        ("[branch \"main\"]\nremote = public\n", "branch.main.remote"),
    ] {
        assert_eq!(judged(&format!("{before}{more}")), [(key.to_owned(), false)], "{more}");
    }
    // Where it went anyway.
    let same = judged(&format!("{before}[branch \"main\"]\npushRemote = origin\n"));
    assert_eq!(same, [("branch.main.pushremote".to_owned(), true)]);
}

#[test]
fn notes_of_tools_are_harmless() {
    for (more, key, harmless) in [
        ("[lfs]\nrepositoryformatversion = 0\n", "lfs.repositoryformatversion", true),
        ("[remote \"origin\"]\ngh-resolved = base\n", "remote.origin.gh-resolved", true),
        ("[remote \"origin\"]\ngh-resolved = evil/fork\n", "remote.origin.gh-resolved", false),
        ("[branch \"x\"]\nvscode-merge-base = origin/main\n", "branch.x.vscode-merge-base", true),
        ("[branch \"x\"]\ngh-merge-base = main\n", "branch.x.gh-merge-base", true),
    ] {
        assert_judged(more, &[(key, harmless)]);
    }
}

#[test]
fn of_a_new_repository_only_known_keys_stay() {
    let known = built_in::git_known().unwrap();
    assert!(
        known.known.iter().all(|rule| {
            !rule.reason.is_empty() && rule.keys.iter().all(|key| *key == key.to_lowercase())
        })
    );
    for (text, strange) in [
        (BEFORE, None),
        ("[remote \"o\"]\nurl = git@example.invalid:x/y.git\nfetch = +refs/heads/*:refs/remotes/o/*\n", None),
        ("[remote \"o\"]\nurl = /srv/x.git\npromisor = true\npartialclonefilter = blob:none\n", None),
        ("[filter \"lfs\"]\nclean = git-lfs clean -- %f\nrequired = true\n", None),
        ("[submodule \"x\"]\nurl = ../x\nactive = true\nupdate = none\n", None),
        ("[filter \"lfs\"]\nclean = git-lfs clean -- %f && evil\n", Some("filter.lfs.clean")),
        ("[remote \"o\"]\nurl = ext::sh -c evil\n", Some("remote.o.url")),
        ("[remote \"o\"]\nurl = --upload-pack=evil\n", Some("remote.o.url")),
        ("[remote \"o\"]\nurl = ssh://-oProxyCommand=evil/x\n", Some("remote.o.url")),
        ("[submodule \"x\"]\nupdate = !evil\n", Some("submodule.x.update")),
        ("[core]\nworktree = /home\n", Some("core.worktree")),
        ("[core]\nfsmonitor = evil\n", Some("core.fsmonitor")),
        ("[CORE]\nattributesFile = x\n", Some("core.attributesfile")),
        ("[tar \"x\"]\ncommand = evil\n", Some("tar.x.command")),
        ("[delta]\npager = evil\n", Some("delta.pager")),
        ("[lfs \"customtransfer.x\"]\npath = evil\n", Some("lfs.customtransfer.x.path")),
        ("[sendemail]\nsmtpServer = evil\n", Some("sendemail.smtpserver")),
        ("[includeIf \"gitdir:/\"]\npath = y\n", Some("includeif.gitdir:/.path")),
        ("[url \"ext::sh\"]\ninsteadOf = x\n", Some("url.ext::sh.insteadof")),
        ("[alias]\nst = status\n", Some("alias.st")),
    ] {
        let found = unknown(text, &known).unwrap();
        let found: Vec<String> = found.iter().map(|(key, _)| key.dotted()).collect();
        assert_eq!(found, strange.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{text}");
    }
    assert_eq!(unknown("[core\n", &known), None);
}
