//! What git's configuration names that git would run or obey, where it lies in what an agent can write: in the work
//! trees or in the repository. Includes are followed where they lie there, too.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, NamedByGit};
use coffer_plan::git_config::Entry;
use coffer_plan::path::{clean, is_within};

use crate::git_config::entries;
use crate::read::{MAX_BYTES, read_beneath, read_file};

/// As deep as includes are followed; git follows ten.
const MOST_DEPTH: usize = 10;
/// Files of one repository that are read.
const MOST_FILES: usize = 32;

/// A repository whose configuration is read.
pub(super) struct Reader<'a> {
    facts: &'a HostFacts,
    git_dir: &'a Utf8Path,
    /// A relative `core.hooksPath` is in each of them.
    work_trees: &'a [Utf8PathBuf],
    files: usize,
    out: Vec<NamedByGit>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(facts: &'a HostFacts, git_dir: &'a Utf8Path, work_trees: &'a [Utf8PathBuf]) -> Self {
        Self { facts, git_dir, work_trees, files: 0, out: Vec::new() }
    }

    /// What a configuration of the repository names.
    pub(super) fn config(&mut self, file: &Utf8Path) {
        self.file(file, 0);
    }

    /// Hooks that the user's own configuration names for every repository.
    pub(super) fn hooks(&mut self, values: &[String]) {
        for value in values {
            self.hooks_path("core.hookspath", value);
        }
    }

    pub(super) fn finish(mut self) -> Vec<NamedByGit> {
        let mut out: Vec<NamedByGit> = Vec::new();
        for named in self.out.drain(..) {
            if out.iter().all(|known| known.path != named.path) {
                out.push(named);
            }
        }
        out
    }

    fn file(&mut self, file: &Utf8Path, depth: usize) {
        if depth > MOST_DEPTH || self.files >= MOST_FILES {
            return;
        }
        self.files += 1;
        let Some(entries) = self.read(file) else { return };
        for entry in entries {
            let value = entry.value.as_deref().unwrap_or_default();
            if is_hooks_path(&entry) {
                self.hooks_path(&entry.dotted(), value);
            } else if is_include(&entry)
                && let Some(path) = place(self.facts, file.parent().unwrap_or(file), value)
            {
                self.name(&entry.dotted(), &path);
                self.file(&path, depth + 1);
            }
        }
    }

    /// No link is followed on the way, and nothing elsewhere is read.
    fn read(&self, file: &Utf8Path) -> Option<Vec<Entry>> {
        let root = self.roots().into_iter().find(|root| is_within(file, root))?;
        let below = file.strip_prefix(root).ok()?;
        let found = read_beneath(root, below.as_str(), MAX_BYTES).ok()?;
        entries(std::str::from_utf8(&found.content).ok()?)
    }

    fn roots(&self) -> [&Utf8Path; 2] {
        [self.git_dir, &self.facts.project.path]
    }

    fn hooks_path(&mut self, key: &str, value: &str) {
        for work_tree in self.work_trees {
            if let Some(path) = place(self.facts, work_tree, value) {
                self.name(key, &path);
            }
        }
    }

    fn name(&mut self, key: &str, path: &Utf8Path) {
        let roots = self.roots();
        if roots.iter().any(|root| is_within(path, root)) && !roots.contains(&path) {
            self.out.push(NamedByGit { key: key.to_owned(), path: path.to_owned() });
        }
    }
}

/// Values of `core.hooksPath` in the user's and the machine's own configuration and what it includes.
pub(super) fn hooks_of_user(facts: &HostFacts) -> Vec<String> {
    let home = facts.user.home.as_deref();
    let mut waiting = vec![(Utf8PathBuf::from("/etc/gitconfig"), 0)];
    for name in [".config/git/config", ".gitconfig"] {
        waiting.extend(home.map(|home| (home.join(name), 0)));
    }
    // `$XDG_CONFIG_HOME`, as our own configuration is found by it.
    let xdg = facts.folders.config.parent().filter(|folder| folder.ends_with("cofferdam"));
    waiting.extend(xdg.and_then(Utf8Path::parent).map(|folder| (folder.join("git/config"), 0)));
    let mut out = Vec::new();
    let mut files = 0;
    while let Some((file, depth)) = waiting.pop() {
        files += 1;
        if depth > MOST_DEPTH || files > MOST_FILES {
            continue;
        }
        let found = read_file(&file, MAX_BYTES).ok();
        let text = found.as_ref().and_then(|found| std::str::from_utf8(&found.content).ok());
        for entry in text.and_then(entries).unwrap_or_default() {
            let value = entry.value.clone().unwrap_or_default();
            if is_hooks_path(&entry) {
                out.push(value);
            } else if is_include(&entry) {
                let path = place(facts, file.parent().unwrap_or(&file), &value);
                waiting.extend(path.map(|path| (path, depth + 1)));
            }
        }
    }
    out
}

fn is_hooks_path(entry: &Entry) -> bool {
    (entry.section.as_str(), entry.subsection.is_none(), entry.key.as_str()) == ("core", true, "hookspath")
}

fn is_include(entry: &Entry) -> bool {
    matches!(entry.section.as_str(), "include" | "includeif") && entry.key == "path"
}

/// Where a path of the configuration leads.
fn place(facts: &HostFacts, base: &Utf8Path, value: &str) -> Option<Utf8PathBuf> {
    if value.is_empty() {
        return None;
    }
    let path = match value.strip_prefix("~/") {
        Some(below) => facts.user.home.as_ref()?.join(below),
        None => base.join(value),
    };
    Some(clean(&path))
}
