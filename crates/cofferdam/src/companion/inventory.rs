//! What appeared in the project while a run lived, and what programs of the host would run of it. It is looked for when
//! all of the run's processes are gone, within the bounds of the first look. What would be run is moved aside, what runs
//! on other machines is told.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::running;
use coffer_plan::facts::{DeferredFacts, DeferredQuestion, HostFacts, RepositoryFact};
use coffer_plan::path::{clean, is_within};
use coffer_plan::show::audit::printable;

use crate::error::Error;
use crate::printer::Printer;
use crate::quarantine::{Item, Quarantine};

/// So many files of a folder are looked at.
const MOST: usize = 500;

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
    told: Vec<(Utf8PathBuf, String)>,
    /// Why not everything was looked at, if so.
    stopped: Option<&'static str>,
    pub(super) errors: Vec<Error>,
}

/// Looks again.
pub(super) fn take(
    facts: &HostFacts,
    watch: &Watch,
    started_ms: i64,
    quarantine: &mut Quarantine,
) -> Result<Inventory, Error> {
    let Some(before) = &facts.deferred else { return Ok(Inventory::default()) };
    let now = coffer_host::look_again(facts, &watch.question);
    let Some(after) = &now.deferred else { return Ok(Inventory::default()) };
    let keys = built_in::deferred()?.git_keys;
    let mut taker = Taker { facts, now: &now, watch, quarantine, out: Inventory::default() };
    taker.out.stopped = after.stopped.map(coffer_plan::facts::ScanStopped::word);
    taker.paths(before, after, started_ms);
    let known: BTreeMap<&Utf8Path, &RepositoryFact> =
        before.repositories.iter().map(|one| (one.git_dir.as_path(), one)).collect();
    for repository in &after.repositories {
        let old = known.get(repository.git_dir.as_path()).copied();
        let old = old.filter(|_| !taker.is_exchanged(&repository.git_dir));
        taker.repository(repository, old, |text| {
            running(text, &keys).map(|keys| keys.iter().map(|key| key.dotted()).collect())
        });
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
    quarantine: &'a mut Quarantine,
    out: Inventory,
}

impl Taker<'_> {
    /// The listed paths.
    fn paths(&mut self, before: &DeferredFacts, after: &DeferredFacts, started_ms: i64) {
        let watch = self.watch;
        for found in &after.found {
            let rule = watch.question.rules.iter().find(|rule| rule.path.path == found.rule);
            let Some(rule) = rule else { continue };
            let is_new =
                before.found.iter().all(|old| old.path != found.path) || self.is_exchanged(&found.path);
            if rule.path.warn {
                for file in files(&found.path) {
                    if coffer_host::owned(&file).is_some_and(|owned| owned.changed_ms >= started_ms) {
                        self.tell(file, &rule.path.reason);
                    }
                }
            } else if is_new {
                self.aside(&found.path, &rule.path.reason);
            }
        }
    }

    fn repository(
        &mut self,
        now: &RepositoryFact,
        old: Option<&RepositoryFact>,
        running: impl Fn(&str) -> Option<Vec<String>>,
    ) {
        if let Some(link) = &now.link {
            if old.is_none() {
                self.aside(link, "a link in the place of a repository");
            }
            return;
        }
        for config in now.configs.iter().filter(|config| old.is_none_or(|old| !old.configs.contains(config)))
        {
            let text = coffer_host::read_project_config(config).ok().flatten();
            match text.as_deref().map(&running) {
                Some(Some(keys)) if keys.is_empty() => {}
                Some(Some(keys)) => {
                    self.aside(config, &format!("git runs what it names: {}", keys.join(", ")))
                }
                Some(None) | None => self.aside(config, "a configuration of git that cannot be read"),
            }
        }
        for lead in now.leads.iter().filter(|lead| old.is_none_or(|old| !old.leads.contains(lead))) {
            let is_common = lead.file_name() == Some("commondir");
            if is_common && !(now.linked && text_of(lead).as_deref() == Some("../..")) {
                self.aside(lead, "leads git to another folder");
            }
        }
        let hooks = now.hooks.iter().filter(|_| old.is_none_or(|old| old.hooks.is_none()));
        for hook in hooks.flat_map(|hooks| files(hooks)).filter(|file| is_run(file)).collect::<Vec<_>>() {
            self.aside(&hook, "git runs it");
        }
    }

    fn is_new(&self, path: &Utf8Path, before: &[Utf8PathBuf]) -> bool {
        before.iter().all(|old| old != path) || self.is_exchanged(path)
    }

    /// Whether something else stands there than before.
    fn is_exchanged(&self, path: &Utf8Path) -> bool {
        match (self.facts.path(path), self.now.path(path)) {
            (Some(old), Some(now)) => (old.dev, old.ino) != (now.dev, now.ino),
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
        if self.watch.granted.iter().any(|granted| is_within(path, granted)) {
            self.tell(path.to_owned(), reason);
            return;
        }
        match self.quarantine.move_aside(path, reason) {
            Ok(item) => self.out.moved.push(item),
            Err(error) => self.out.errors.push(error),
        }
    }

    fn tell(&mut self, path: Utf8PathBuf, reason: &str) {
        self.out.told.push((path, reason.to_owned()));
    }
}

/// The file itself, or those of a folder; links are looked at and not followed.
fn files(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    match coffer_host::owned(path) {
        None => Vec::new(),
        Some(owned) if !owned.is_folder => vec![path.to_owned()],
        Some(_) => {
            let entries = path.read_dir_utf8().into_iter().flatten().flatten().take(MOST);
            entries.map(|entry| entry.path().to_owned()).collect()
        }
    }
}

/// Whether git would run a hook, now or once somebody lets it be executed; its examples have an ending.
fn is_run(file: &Utf8Path) -> bool {
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
        if let Some(stopped) = self.stopped
            && !text.is_empty()
        {
            text.push_str(&format!("Not everything in the project was looked at: {stopped}\n"));
        }
        if !text.is_empty() {
            printer.insist(&text);
        }
    }
}
