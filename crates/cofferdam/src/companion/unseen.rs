//! Runs that were killed together with `coffer` (`kill -9`, a machine that died while its runtime folder stayed): nobody has
//! looked at what they left. The next start says so, and what was written since.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::launch::quote;
use coffer_launch::run::{UnseenRun, unseen_runs};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;

use super::inventory::{changed_since, hooks_in};
use crate::printer::Printer;

/// Tells of them, before the start sweeps them.
pub(crate) fn tell(facts: &HostFacts, printer: &Printer) {
    for UnseenRun { id, project, started_at_ms } in unseen_runs(&facts.folders.runtime) {
        let mut text = format!(
            "warning: run `{}` in `{}` was killed, and nobody has looked at what it left\n",
            printable(&id),
            printable(project.as_str())
        );
        if project == facts.project.path && facts.deferred.is_some() {
            let found = written_since(facts, started_at_ms);
            if !found.is_empty() {
                text.push_str(
                    "Written since it began, by it or by you, and run by programs of this machine:\n",
                );
            }
            for path in found {
                text.push_str(&format!("  {}\n", printable(path.as_str())));
            }
        }
        let listed = format!("ls -lctA {}", quote(project.as_str()));
        let hint = format!(
            "look at new repositories, editors' and agents' settings there before you use it: `{listed}`"
        );
        text.push_str(&format!("hint: {}\n", printable(&hint)));
        printer.insist(&text);
    }
}

/// What the first look of this run found and that was written since then.
fn written_since(facts: &HostFacts, since_ms: i64) -> Vec<Utf8PathBuf> {
    let Some(deferred) = &facts.deferred else { return Vec::new() };
    let mut out: Vec<Utf8PathBuf> = deferred.found.iter().map(|found| found.path.clone()).collect();
    out.extend(deferred.dot_git_files.iter().cloned());
    for repository in &deferred.repositories {
        out.extend(repository.configs.iter().chain(&repository.leads).chain(&repository.link).cloned());
        out.extend(repository.hooks.iter().flat_map(|hooks| hooks_in(hooks)));
    }
    let is_written = |path: &Utf8Path| coffer_host::owned(path).is_some() && changed_since(path, since_ms);
    out.retain(|path| path.extension() != Some("sample") && is_written(path));
    out
}
