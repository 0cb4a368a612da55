use coffer_plan::built_in;

use super::runs_programs;

#[test]
fn what_git_runs_is_told_from_what_it_keeps() {
    let keys = built_in::deferred().unwrap().git_keys;
    for harmless in
        ["[core]\n\tbare = false\n", "[branch \"x\"]\n\tremote = origin\n\tmerge = refs/heads/x\n"]
    {
        assert!(!runs_programs(harmless, &keys), "{harmless}");
    }
    for text in [
        "[core]\n\tfsmonitor = ./x\n",
        "[core]\n  HooksPath=hooks\n",
        "[alias]\n\tst = !sh x\n",
        "[filter \"x\"]\n\tclean = x\n",
        "[include]\n\tpath = x\n",
        "[includeIf \"gitdir:/\"]\n\tpath = x\n",
        "[core\n",
    ] {
        assert!(runs_programs(text, &keys), "{text}");
    }
}
