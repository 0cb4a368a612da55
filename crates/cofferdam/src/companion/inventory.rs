//! What appeared in the project while a run lived, and what programs of the host would run of it. It is looked for when
//! all of the run's processes are gone, within the bounds of the first look. What would be run is moved aside, what runs
//! on other machines is told.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_launch::run::Standing;
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::{KnownKeys, unknown};
use coffer_plan::facts::{DeferredFacts, DeferredQuestion, HostFacts, RepositoryFact};
use coffer_plan::path::{clean, is_within};
use coffer_plan::show::audit::printable;

use crate::error::Error;
use crate::printer::Printer;
use crate::quarantine::{Item, Quarantine};

/// So many files of a folder are looked at.
const MOST: usize = 500;
/// What git would follow in a new repository if it were a link; `git init` and `git clone` make none.
const LINKS: &[&str] = &["commondir", "config", "config.worktree", "hooks", "info", "info/attributes"];
/// The hooks that git knows, by githooks(5): they are looked up, however many other files are beside them.
const HOOKS: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "pre-solve-refs",
    "prepare-commit-msg",
    "proc-receive",
    "push-to-checkout",
    "reference-transaction",
    "sendemail-validate",
    "update",
];

/// What is looked for, and what of it the user lets the agent write.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) question: DeferredQuestion,
    pub(crate) granted: Vec<Utf8PathBuf>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Inventory {
    moved: Vec<Item>,
    /// What could not be moved, and why.
    stays: Vec<(Utf8PathBuf, Error)>,
    told: Vec<(Utf8PathBuf, String)>,
    /// Why not everything was looked at, if so.
    stopped: Option<&'static str>,
}

/// Looks again. At `places` stood what the run held.
pub(super) fn take(
    facts: &HostFacts,
    watch: &Watch,
    started_ms: i64,
    places: &[Standing],
    quarantine: &mut Quarantine,
) -> Result<Inventory, Error> {
    let Some(before) = &facts.deferred else { return Ok(Inventory::default()) };
    let now = coffer_host::look_again(facts, &watch.question);
    let Some(after) = &now.deferred else { return Ok(Inventory::default()) };
    let known_keys = built_in::git_known()?;
    let guarded = places.iter().filter(|place| place.is_unchanged()).map(Standing::path).collect();
    let is_partial = before.stopped.is_some();
    let out = Inventory::default();
    let mut taker =
        Taker { facts, now: &now, watch, started_ms, guarded, is_partial, known_keys, quarantine, out };
    taker.out.stopped = after.stopped.map(coffer_plan::facts::ScanStopped::word);
    taker.paths(before, after);
    let known: BTreeMap<&Utf8Path, &RepositoryFact> =
        before.repositories.iter().map(|one| (one.git_dir.as_path(), one)).collect();
    for repository in &after.repositories {
        let old = known.get(repository.git_dir.as_path()).copied();
        let old = old.filter(|_| !taker.is_exchanged(&repository.git_dir));
        taker.repository(repository, old);
    }
    for file in &after.dot_git_files {
        if taker.is_new(file, &before.dot_git_files) && !taker.leads_to_known(file, after) {
            taker.aside(file, "leads git to a folder that nobody has looked at");
        }
    }
    Ok(taker.out)
}

struct Taker<'a> {
    facts: &'a HostFacts,
    now: &'a HostFacts,
    watch: &'a Watch,
    started_ms: i64,
    /// Places that were held all the time: no agent could put anything there.
    guarded: Vec<&'a Utf8Path>,
    /// Whether the first look did not see everything, so that what is found now may have been there.
    is_partial: bool,
    known_keys: KnownKeys,
    quarantine: &'a mut Quarantine,
    out: Inventory,
}

impl Taker<'_> {
    /// The listed paths.
    fn paths(&mut self, before: &DeferredFacts, after: &DeferredFacts) {
        let watch = self.watch;
        for found in &after.found {
            let rule = watch.question.rules.iter().find(|rule| rule.path.path == found.rule);
            let Some(rule) = rule else { continue };
            let is_new =
                before.found.iter().all(|old| old.path != found.path) || self.is_exchanged(&found.path);
            if rule.path.warn {
                for file in files(&found.path) {
                    if coffer_host::owned(&file).is_some_and(|owned| owned.changed_ms >= self.started_ms) {
                        self.tell(file, &rule.path.reason);
                    }
                }
            } else if is_new {
                self.aside(&found.path, &rule.path.reason);
            }
        }
    }

    fn repository(&mut self, now: &RepositoryFact, old: Option<&RepositoryFact>) {
        if let Some(link) = &now.link {
            if old.is_none() {
                self.aside(link, "a link in the place of a repository");
            }
            return;
        }
        if old.is_none() {
            for place in LINKS.iter().map(|name| now.git_dir.join(name)).filter(|place| place.is_symlink()) {
                self.aside(&place, "a link leads git elsewhere");
            }
        }
        for config in now.configs.iter().filter(|config| old.is_none_or(|old| !old.configs.contains(config)))
        {
            match self.strange_keys(config, &now.git_dir) {
                Some(keys) if keys.is_empty() => {}
                Some(keys) => {
                    self.aside(config, &format!("git may run what it names: {}", keys.join(", ")));
                }
                None => self.aside(config, "a configuration of git that cannot be read"),
            }
        }
        for lead in now.leads.iter().filter(|lead| old.is_none_or(|old| !old.leads.contains(lead))) {
            let is_common = lead.file_name() == Some("commondir");
            if is_common && !(now.linked && text_of(lead).as_deref() == Some("../..")) {
                self.aside(lead, "leads git to another folder");
            }
        }
        let hooks = now.hooks.iter().filter(|_| old.is_none_or(|old| old.hooks.is_none()));
        for hook in hooks.flat_map(|hooks| hooks_in(hooks)).filter(|file| is_run(file)).collect::<Vec<_>>() {
            self.aside(&hook, "git runs it");
        }
    }

    /// Keys of a new configuration that are not known to start nothing; `None` when git would refuse it.
    fn strange_keys(&self, config: &Utf8Path, git_dir: &Utf8Path) -> Option<Vec<String>> {
        let text = coffer_host::read_project_config(config).ok().flatten()?;
        let found = unknown(&text, &self.known_keys)?.into_iter();
        let found = found.filter(|(key, values)| {
            let is_own = |value: &Option<String>| {
                value.as_deref().is_some_and(|value| self.is_own_work_tree(value, git_dir))
            };
            !(key.dotted() == "core.worktree" && values.iter().all(is_own))
        });
        Some(found.map(|(key, _)| key.dotted()).collect())
    }

    /// Whether a submodule's work tree is where `git submodule` puts it: in the project, with a `.git` that leads back.
    fn is_own_work_tree(&self, value: &str, git_dir: &Utf8Path) -> bool {
        let tree = clean(&git_dir.join(value));
        let back = text_of(&tree.join(".git"));
        let back = back.as_deref().and_then(|text| text.strip_prefix("gitdir: "));
        is_within(&tree, &self.facts.project.path)
            && git_dir.as_str().contains("/.git/modules/")
            && back.is_some_and(|back| clean(&tree.join(back)) == git_dir)
    }

    fn is_new(&self, path: &Utf8Path, before: &[Utf8PathBuf]) -> bool {
        before.iter().all(|old| old != path) || self.is_exchanged(path)
    }

    /// Whether something else stands there than before. A file system gives a number anew; so what was made since the
    /// start is something else, too.
    fn is_exchanged(&self, path: &Utf8Path) -> bool {
        match (self.facts.path(path), self.now.path(path)) {
            (Some(old), Some(now)) => {
                let is_young = || coffer_host::born_ms(path).is_some_and(|born| born >= self.started_ms);
                (old.dev, old.ino) != (now.dev, now.ino) || is_young()
            }
            (None, _) | (_, None) => false,
        }
    }

    fn leads_to_known(&self, file: &Utf8Path, after: &DeferredFacts) -> bool {
        let Some(named) = text_of(file) else { return false };
        let Some(named) = named.strip_prefix("gitdir: ") else { return false };
        let git_dir = clean(&file.parent().unwrap_or(file).join(named));
        after.repositories.iter().any(|known| known.link.is_none() && known.git_dir == git_dir)
    }

    fn aside(&mut self, path: &Utf8Path, reason: &str) {
        // Moved already, with what it lay in.
        if coffer_host::owned(path).is_none() {
            return;
        }
        // The user's own, who works on the host meanwhile.
        if self.guarded.iter().any(|guarded| is_within(path, guarded)) {
            return;
        }
        // The user's own, which the first look did not come to.
        if self.is_partial && !changed_since(path, self.started_ms) {
            return;
        }
        if self.watch.granted.iter().any(|granted| is_within(path, granted)) {
            self.tell(path.to_owned(), reason);
            return;
        }
        match self.quarantine.move_aside(path, reason) {
            Ok(item) => self.out.moved.push(item),
            Err(error) => self.out.stays.push((path.to_owned(), error)),
        }
    }

    fn tell(&mut self, path: Utf8PathBuf, reason: &str) {
        self.out.told.push((path, reason.to_owned()));
    }
}

/// The file itself, or those of a folder; links are looked at and not followed.
pub(crate) fn files(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    match coffer_host::owned(path) {
        None => Vec::new(),
        Some(owned) if !owned.is_folder => vec![path.to_owned()],
        Some(_) => {
            let entries = path.read_dir_utf8().into_iter().flatten().flatten().take(MOST);
            entries.map(|entry| entry.path().to_owned()).collect()
        }
    }
}

/// What git would look for in a folder of hooks, and what else is there.
pub(super) fn hooks_in(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut out: Vec<Utf8PathBuf> = HOOKS.iter().map(|name| folder.join(name)).collect();
    let others = files(folder).into_iter().filter(|file| !out.contains(file)).collect::<Vec<_>>();
    out.extend(others);
    out
}

/// Whether anything of it was made or written since then; the kernel keeps that time. What is too large counts as changed.
pub(super) fn changed_since(path: &Utf8Path, since_ms: i64) -> bool {
    let mut waiting = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(next) = waiting.pop() {
        seen += 1;
        let Some(owned) = coffer_host::owned(&next) else { continue };
        if owned.changed_ms >= since_ms || seen > MOST {
            return true;
        }
        if owned.is_folder {
            waiting.extend(files(&next));
        }
    }
    false
}

/// Whether git would run a hook, now or once somebody lets it be executed; its examples have an ending.
pub(crate) fn is_run(file: &Utf8Path) -> bool {
    coffer_host::owned(file).is_some_and(|owned| !owned.is_folder) && file.extension() != Some("sample")
}

/// The one line of a small file.
fn text_of(file: &Utf8Path) -> Option<String> {
    let text = coffer_host::read_project_config(file).ok().flatten()?;
    Some(text.trim_end_matches(['\n', '\r']).to_owned())
}

impl Inventory {
    /// Says what appeared, where it is now, and how to take it back.
    pub(super) fn report(&self, printer: &Printer) {
        let mut text = String::new();
        if !self.moved.is_empty() {
            text.push_str("The run left what programs of this machine would run; it was moved aside:\n");
            for Item { id, path, now, reason, .. } in &self.moved {
                let name = now.file_name().unwrap_or_default();
                let line = format!("{path} -> {name}  ({reason})  [{id}]");
                text.push_str(&format!("  {}\n", printable(&line)));
            }
            text.push_str("hint: look at it, then `coffer quarantine restore ID`\n");
        }
        if !self.told.is_empty() {
            text.push_str("Changed by the run, and run later by others:\n");
            for (path, reason) in &self.told {
                text.push_str(&format!("  {}\n", printable(&format!("{path}  ({reason})"))));
            }
        }
        for (path, error) in &self.stays {
            let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
            let line = format!("{path}: the run left it, and it could not be moved aside: {why}");
            text.push_str(&format!("warning: {}\n", printable(&line)));
        }
        if !self.stays.is_empty() {
            text.push_str("hint: look at it before a program of yours does\n");
        }
        if let Some(stopped) = self.stopped {
            text.push_str(&format!("Not everything in the project was looked at: {stopped}\n"));
        }
        if !text.is_empty() {
            printer.insist(&text);
        }
    }
}
