//! What the host would run later is kept from the agent: what is there is read-only, `.git` cannot be moved away, what is
//! not there yet has its place held, and git's configuration is a copy of the run.
//!
//! All of it lies below something that is writable, and shows nothing that is not shown anyway; so every operation here
//! takes away.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::mounts::MountList;
use crate::deferred::DEFERRED;
use crate::facts::{DeferredFacts, HostFacts, PathKind, RepositoryFact};
use crate::origin::{Decided, Origin};
use crate::path::is_within;
use crate::plan::{Access, MountOp, PlanError, RunFolder, Source};
use crate::policy::Policy;

/// Where the run's copies of git's configuration are inside.
pub const GIT_COPIES: &str = "/run/coffer/git";
/// A git dir whose `commondir` says so is its own; a file that is not there yet could lead git to another one. Libgit2
/// joins names without a slash, so it needs this one.
const OWN_COMMON_DIR: &str = "./\n";
/// A work tree's own configuration.
const WORKTREE_CONFIG: &str = "config.worktree";

/// Keeps from the agent what the host would run later.
pub(super) fn mounts(list: &mut MountList<'_>, policy: &Policy) {
    let facts = list.facts;
    let Some(deferred) = &facts.deferred else { return };
    let mut keeper = Keeper { list, policy, deferred, kept: BTreeMap::new(), told: Vec::new() };
    keeper.paths();
    for file in &deferred.dot_git_files {
        keeper.git(file, Keep::ReadOnly, "leads git to its repository");
    }
    for (at, repository) in deferred.repositories.iter().enumerate() {
        keeper.repository(repository, at < policy.scan.most_repositories);
    }
    keeper.places();
    keeper.mount();
    keeper.notes();
}

/// Whether mounts can be made before the backend begins: git's configuration needs one that the backend has no word for.
pub fn mounts_before_backend(facts: &HostFacts) -> bool {
    facts.kernel.mounts_trees
        && (facts.user.uid == 0 || facts.user_namespaces.apparmor_restricts != Some(true))
}

/// The same, for the backend that is wanted: an engine begins elsewhere.
fn copies_configs(policy: &Policy, facts: &HostFacts) -> bool {
    !policy.backend.value.is_engine() && mounts_before_backend(facts)
}

/// What becomes of a path; the strongest comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Keep {
    /// It cannot be moved away.
    Pin,
    /// It is a copy of the run.
    Copy,
    /// It is held as an empty folder.
    Hold,
    /// It is held as a file that says nothing new: what stands in it.
    HoldFile(&'static str),
    /// It cannot be written.
    ReadOnly,
}

/// Whether git reads or runs what a link in a repository leads to, and not only looks for repositories there.
fn is_followed(link: &Utf8Path) -> bool {
    !matches!(link.file_name(), Some("modules" | "worktrees"))
}

struct Keeper<'a, 'b> {
    list: &'a mut MountList<'b>,
    policy: &'a Policy,
    deferred: &'b DeferredFacts,
    /// What is kept, outermost first.
    kept: BTreeMap<Utf8PathBuf, (Keep, Origin)>,
    /// Grants that were told.
    told: Vec<Utf8PathBuf>,
}

impl Keeper<'_, '_> {
    /// The listed paths that are there.
    fn paths(&mut self) {
        let (deferred, policy) = (self.deferred, self.policy);
        for found in &deferred.found {
            let Some(rule) = policy.deferred.iter().find(|rule| rule.path.path == found.rule) else {
                continue;
            };
            if rule.path.warn {
                continue;
            }
            let in_root = found.path.parent() == Some(&self.list.facts.project.path);
            if found.link && rule.path.hold && in_root {
                self.refuse(&found.path, &rule.path.reason);
            } else if !found.link || self.leads_to_own(&found.path) {
                // A folder around it can be moved away, and a link be exchanged: the inventory at the end sees both.
                self.keep(&found.path, Keep::ReadOnly, &rule.path.reason, &rule.origin);
            }
        }
    }

    /// Whether a link leads to something of the project's that can be read-only with no more than that.
    fn leads_to_own(&self, link: &Utf8Path) -> bool {
        let facts = self.list.facts;
        facts.path(link).is_some_and(|fact| {
            matches!(fact.kind, PathKind::File | PathKind::Folder)
                && is_within(&fact.resolved, &facts.project.path)
                && !is_within(link, &fact.resolved)
        })
    }

    fn repository(&mut self, repository: &RepositoryFact, everyday: bool) {
        if let Some(link) = &repository.link {
            self.refuse(link, "git's hooks and configuration");
            return;
        }
        let git_dir = &repository.git_dir;
        if !everyday {
            self.git(git_dir, Keep::ReadOnly, "one repository too many for everyday git");
            return;
        }
        let deferred = self.deferred;
        let around = deferred.repositories.iter().map(|other| &other.git_dir);
        let outermost = around.filter(|other| is_within(git_dir, other)).min().unwrap_or(git_dir);
        let root = self.list.facts.project.path.clone();
        let pinned = git_dir.ancestors().take_while(|folder| is_within(folder, outermost));
        for folder in pinned.filter(|folder| **folder != root) {
            self.git(folder, Keep::Pin, "cannot be moved away");
        }
        for lead in &repository.leads {
            self.git(lead, Keep::ReadOnly, "leads git to another folder");
        }
        let copies = copies_configs(self.policy, self.list.facts);
        let config = if copies { Keep::Copy } else { Keep::ReadOnly };
        for file in &repository.configs {
            self.git(file, config, "git runs what it names");
        }
        for link in repository.links.iter().filter(|link| is_followed(link)) {
            self.refuse(link, "git's hooks and configuration");
        }
        for named in &repository.named {
            // Whoever moves a folder around it away puts another one in its place.
            let around = named.path.ancestors().skip(1);
            let around = around.take_while(|folder| **folder != root && *folder != git_dir);
            let own = [&root, git_dir].map(|own| is_within(&named.path, own)).contains(&true);
            for folder in around.filter(|_| own) {
                self.git(folder, Keep::Pin, "cannot be moved away");
            }
            let keep = if self.list.facts.exists(&named.path) { Keep::ReadOnly } else { Keep::Hold };
            if keep == Keep::ReadOnly || (deferred.writable && !repository.read_only) {
                self.git(&named.path, keep, &format!("named by {}", named.key));
            }
        }
        if !repository.read_only && !repository.configs.iter().any(|config| config.ends_with(WORKTREE_CONFIG))
        {
            self.git(&git_dir.join(WORKTREE_CONFIG), Keep::HoldFile(""), "git runs what it names");
        }
        if repository.linked || repository.read_only {
            if let Some(hooks) = &repository.hooks {
                self.git(hooks, Keep::ReadOnly, "git runs what is in it");
            }
            return;
        }
        self.attributes(&git_dir.join("info"));
        let keep = if repository.hooks.is_some() { Keep::ReadOnly } else { Keep::Hold };
        self.git(&git_dir.join("hooks"), keep, "git runs what is in it");
        let common = git_dir.join("commondir");
        if !repository.leads.contains(&common) {
            self.git(&common, Keep::HoldFile(OWN_COMMON_DIR), "leads git to another folder");
        }
    }

    /// Attributes choose among the filters that the user has set up, and these are in no commit that anybody reviews.
    fn attributes(&mut self, info: &Utf8Path) {
        let file = info.join("attributes");
        let reason = "git runs filters by it";
        self.git(info, Keep::Pin, "cannot be moved away");
        if self.list.facts.exists(&file) {
            self.git(&file, Keep::ReadOnly, reason);
        } else if self.list.facts.exists(info) {
            self.git(&file, Keep::HoldFile(""), reason);
        } else {
            self.git(info, Keep::Hold, reason);
        }
    }

    /// Places in the root that nothing stands at.
    fn places(&mut self) {
        let root = self.list.facts.project.path.clone();
        let (deferred, policy) = (self.deferred, self.policy);
        if !deferred.writable {
            return;
        }
        for rule in policy.deferred.iter().filter(|rule| rule.path.hold && !rule.path.warn) {
            let path = root.join(&rule.path.path);
            if deferred.found.iter().all(|found| found.path != path) {
                self.keep(&path, Keep::Hold, &rule.path.reason, &rule.origin);
            }
        }
    }

    fn git(&mut self, path: &Utf8Path, keep: Keep, reason: &str) {
        self.keep(path, keep, reason, &Origin::built_in(DEFERRED));
    }

    fn keep(&mut self, path: &Utf8Path, keep: Keep, reason: &str, origin: &Origin) {
        if self.is_granted(path, reason) {
            return;
        }
        let path = match keep {
            Keep::Hold => match self.outermost_missing(path) {
                Some(missing) => missing,
                None => return,
            },
            Keep::Pin | Keep::Copy | Keep::HoldFile(_) | Keep::ReadOnly => path.to_owned(),
        };
        let entry = (keep, origin.about(reason));
        let known = self.kept.entry(path).or_insert_with(|| entry.clone());
        if known.0 < keep {
            *known = entry;
        }
    }

    /// The first part of a path that is not there, in a folder that is.
    fn outermost_missing(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let is_folder = |folder: &&Utf8Path| {
            self.list.facts.path(folder).is_some_and(|fact| fact.kind == PathKind::Folder)
        };
        let around = path.ancestors().skip(1).find(is_folder)?;
        let first = path.strip_prefix(around).ok()?.components().next()?;
        Some(around.join(first.as_str()))
    }

    fn refuse(&mut self, link: &Utf8Path, reason: &str) {
        if !self.is_granted(link, reason) {
            self.list.refuse(PlanError::DeferredLink { path: link.to_owned(), reason: reason.to_owned() });
        }
    }

    /// Whether a person lets the agent write it; that is told.
    fn is_granted(&mut self, path: &Utf8Path, reason: &str) -> bool {
        let root = &self.list.facts.project.path;
        let granted = self.policy.allow_write.iter().find(|granted| is_within(path, &granted.value));
        let Some(Decided { value, origin }) = granted else { return false };
        if !self.told.contains(value) {
            let shown = value.strip_prefix(root).unwrap_or(value);
            let text = format!("`{shown}` can be written, and the host runs it later: {reason}");
            self.list.note(text, origin.clone());
            self.told.push(value.clone());
        }
        true
    }

    /// The operations, outermost first: what lies in a read-only folder is read-only already.
    fn mount(&mut self) {
        let mut copies = 0;
        for (path, (keep, origin)) in std::mem::take(&mut self.kept) {
            match keep {
                Keep::Pin if self.list.is_writable(&path) => self.list.pin(&path, &origin),
                Keep::Pin => {}
                Keep::ReadOnly => self.list.keep_read_only(&path, &origin),
                Keep::Copy => {
                    if self.copy(&path, copies, &origin) {
                        copies += 1;
                    }
                    // Where else it is shown.
                    self.list.keep_read_only(&path, &origin);
                }
                Keep::Hold if self.can_be_made(&path) => {
                    self.list.push(MountOp::Placeholder { text: None }, path, origin);
                }
                Keep::HoldFile(text) if self.can_be_made(&path) => {
                    self.list.push(MountOp::Placeholder { text: Some(text.to_owned()) }, path, origin);
                }
                Keep::Hold | Keep::HoldFile(_) => {}
            }
        }
    }

    fn can_be_made(&self, path: &Utf8Path) -> bool {
        let is_link = self.list.facts.paths.get(path).is_some_and(|fact| fact.link.is_some());
        !is_link && self.list.is_writable(path) && !self.list.has_target_within(path)
    }

    /// Git writes its configuration by a lock beside it and a rename over it, which no mount of a file survives. So a
    /// link is mounted there: git follows it, and finds a folder of the run.
    fn copy(&mut self, config: &Utf8Path, number: usize, origin: &Origin) -> bool {
        let Some(source) = self.list.host_file(config).filter(|_| self.list.is_writable(config)) else {
            return false;
        };
        if number == 0 {
            let op = MountOp::Bind { source: Source::Run { folder: RunFolder::Git }, access: Access::Rw };
            let origin = Origin::built_in(DEFERRED).about("copies of git's configuration");
            self.list.push(op, GIT_COPIES, origin);
        }
        let accepted = &self.policy.accept_config;
        let origin = if accepted.value { accepted.origin.clone() } else { origin.clone() };
        let op = MountOp::GitConfig { source, name: number.to_string(), accept: accepted.value };
        self.list.push(op, config, origin);
        true
    }

    fn notes(&mut self) {
        let origin = Origin::built_in(DEFERRED);
        let deferred = self.deferred;
        for granted in &self.policy.allow_write {
            if !self.told.contains(&granted.value) {
                let text = format!("nothing is kept from the agent at `{}`", granted.value);
                self.list.note(text, granted.origin.clone());
            }
        }
        if let Some(stopped) = deferred.stopped {
            let entries = deferred.entries;
            let text = format!(
                "not everything in the project was looked at ({entries} files and folders were): {}; what lies beyond \
                 can be written",
                stopped.word()
            );
            self.list.note(text, origin.clone());
        }
        let most = self.policy.scan.most_repositories;
        if deferred.repositories.len() > most {
            let more = deferred.repositories.len() - most;
            let text = format!(
                "{more} repositories beyond the first {most} are read-only: `--allow-write PATH` opens one"
            );
            self.list.note(text, origin.clone());
        }
        if !deferred.writable {
            self.list
                .note("the project cannot be written, so no place is held in it".to_owned(), origin.clone());
        }
        if !deferred.repositories.is_empty() && !copies_configs(self.policy, self.list.facts) {
            let because = if self.policy.backend.value.is_engine() {
                "a container engine has no mount for a copy of it"
            } else {
                "AppArmor lets nobody but bubblewrap mount"
            };
            self.list.note(format!("git's configuration cannot be changed inside: {because}"), origin);
        }
    }
}
