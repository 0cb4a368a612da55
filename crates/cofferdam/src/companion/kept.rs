//! What became of a working copy that was to be merged back, in words.

use camino::Utf8PathBuf;
use coffer_launch::run::Kept;
use coffer_plan::show::audit::printable;

/// So many entries of each kind are named.
const NAMED: usize = 20;

/// The report.
pub(crate) fn report(kept: &Kept) -> String {
    let Kept { run: _, state, added, changed, removed, conflicts, stays, skipped } = kept;
    let mut text = format!("The working copy was merged back into {}\n", printable(state.as_str()));
    let mut list = |what: &str, paths: &[Utf8PathBuf]| {
        if !paths.is_empty() {
            text.push_str(&format!("  {what}: {}\n", paths.len()));
            text.extend(paths.iter().take(NAMED).map(|path| format!("    {}\n", printable(path.as_str()))));
            if paths.len() > NAMED {
                text.push_str(&format!("    … and {} more\n", paths.len() - NAMED));
            }
        }
    };
    list("added", added);
    list("changed", changed);
    list("removed", removed);
    list("changed on both sides; the copy's is kept beside as", conflicts);
    list("removed in the copy, and left as it is", stays);
    let reasons: Vec<Utf8PathBuf> =
        skipped.iter().map(|(path, why)| format!("{path} ({why})").into()).collect();
    list("not merged", &reasons);
    if text.lines().count() == 1 {
        text.push_str("  nothing had changed\n");
    }
    text
}
