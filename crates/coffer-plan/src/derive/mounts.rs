//! The ordered list of mounts while it grows: looks sources up in the facts, and keeps refusals and
//! notes beside it.

use camino::{Utf8Path, Utf8PathBuf};

use crate::facts::{HostFacts, PathFact, PathKind};
use crate::origin::Origin;
use crate::path::is_within;
use crate::plan::{Access, Mount, MountOp, Note, PlanError, Source};

/// Mounts, in order, with what was refused and what the user should know.
pub(super) struct MountList<'a> {
    pub(super) facts: &'a HostFacts,
    mounts: Vec<Mount>,
    notes: Vec<Note>,
    refused: Vec<PlanError>,
}

impl<'a> MountList<'a> {
    pub(super) fn new(facts: &'a HostFacts) -> Self {
        Self { facts, mounts: Vec::new(), notes: Vec::new(), refused: Vec::new() }
    }

    /// Appends an operation as it is.
    pub(super) fn push(&mut self, op: MountOp, target: impl Into<Utf8PathBuf>, origin: Origin) {
        self.mounts.push(Mount { op, target: target.into(), origin });
    }

    /// Refuses something.
    pub(super) fn refuse(&mut self, error: PlanError) {
        self.refused.push(error);
    }

    /// Tells the user something.
    pub(super) fn note(&mut self, text: String, origin: Origin) {
        self.notes.push(Note { text, origin });
    }

    /// Binds a path of the host, which has to be there.
    pub(super) fn bind(&mut self, source: &Utf8Path, target: &Utf8Path, access: Access, origin: &Origin) {
        match self.source(source, origin) {
            Ok(found) => self.push(MountOp::Bind { source: found, access }, target, origin.clone()),
            Err(error) => self.refused.push(error),
        }
    }

    /// Shows a socket of the host. To connect to it, nothing has to be writable.
    pub(super) fn bind_socket(&mut self, path: &Utf8Path, target: &Utf8Path, origin: &Origin) {
        let refused =
            |what| PlanError::SourceKind { source_path: path.to_owned(), what, origin: origin.clone() };
        match self.facts.path(path) {
            Some(fact) if fact.kind == PathKind::Socket => {
                let op = MountOp::Bind { source: host_source(fact), access: Access::Ro };
                self.push(op, target, origin.clone());
            }
            Some(fact) if fact.kind != PathKind::Missing => self.refused.push(refused("no socket")),
            Some(_) | None => {
                let (source_path, origin) = (path.to_owned(), origin.clone());
                self.refused.push(PlanError::SourceMissing { source_path, origin });
            }
        }
    }

    /// Binds a path of the host read-only where it is there; what cannot be bound is left out with a
    /// note. Nothing that a person asked for goes this way.
    pub(super) fn bind_if_there(&mut self, source: &Utf8Path, target: &Utf8Path, origin: &Origin) {
        if !self.facts.exists(source) {
            return;
        }
        let root_only = self.is_root_only(source);
        match self.source(source, origin) {
            Ok(_) if root_only => {
                let text =
                    format!("`{source}` is left out: only root can read it; `--mount {source}` grants it");
                self.note(text, origin.clone());
            }
            Ok(found) => {
                self.push(MountOp::Bind { source: found, access: Access::Ro }, target, origin.clone());
            }
            Err(error) => self.note(format!("`{source}` is left out: {error}"), origin.clone()),
        }
    }

    /// Whether only root's rights let us read the source.
    fn is_root_only(&self, source: &Utf8Path) -> bool {
        let fact = self.facts.path(source);
        self.facts.user.uid == 0 && fact.is_some_and(|fact| !fact.others_can_read())
    }

    fn source(&self, source: &Utf8Path, origin: &Origin) -> Result<Source, PlanError> {
        let Some(fact) = self.facts.path(source) else {
            return Err(PlanError::SourceMissing { source_path: source.to_owned(), origin: origin.clone() });
        };
        let kind =
            |what| PlanError::SourceKind { source_path: source.to_owned(), what, origin: origin.clone() };
        match fact.kind {
            PathKind::File | PathKind::Folder => Ok(host_source(fact)),
            PathKind::Missing => {
                Err(PlanError::SourceMissing { source_path: source.to_owned(), origin: origin.clone() })
            }
            PathKind::Socket => Err(kind("a socket")),
            PathKind::Device => Err(kind("a device")),
            PathKind::Fifo => Err(kind("a named pipe")),
            PathKind::LinkLoop => Err(kind("a loop of links")),
            PathKind::Unreadable => Err(kind("not readable")),
        }
    }

    /// Whether a path inside shows something of the host: used to build the PATH.
    pub(super) fn shows(&self, path: &Utf8Path) -> bool {
        self.mounts.iter().any(|mount| match &mount.op {
            MountOp::Bind { .. } | MountOp::Overlay { .. } => is_within(path, &mount.target),
            MountOp::Symlink { .. } | MountOp::GitConfig { .. } => is_within(path, &mount.target),
            MountOp::Tmpfs { .. }
            | MountOp::Proc
            | MountOp::Dev
            | MountOp::Mask { .. }
            | MountOp::Placeholder { .. }
            | MountOp::File { .. } => false,
        })
    }

    /// Whether a folder can be the working folder: the last operation on or around it shows something.
    /// What lies below an empty private folder does not exist.
    pub(super) fn has_folder_for(&self, path: &Utf8Path) -> bool {
        let around = self.mounts.iter().rev().find(|mount| is_within(path, &mount.target));
        around.is_some_and(|mount| match &mount.op {
            MountOp::Bind { .. } | MountOp::Overlay { .. } => true,
            MountOp::Tmpfs { .. } | MountOp::Proc | MountOp::Dev => mount.target == path,
            MountOp::Placeholder { text } => text.is_none() && mount.target == path,
            MountOp::Symlink { .. }
            | MountOp::GitConfig { .. }
            | MountOp::Mask { .. }
            | MountOp::File { .. } => false,
        })
    }

    /// Whether something is already mounted exactly there.
    pub(super) fn has_target(&self, target: &Utf8Path) -> bool {
        self.mounts.iter().any(|mount| mount.target == target)
    }

    /// Takes out what a profile or the product mounted at or below `target`, because a person's word
    /// replaces it.
    pub(super) fn make_way(&mut self, target: &Utf8Path, may_go: impl Fn(&Origin) -> bool) {
        self.mounts.retain(|mount| !(is_within(&mount.target, target) && may_go(&mount.origin)));
    }

    /// Binds every folder between a writable bind and the path onto itself: a folder that is a mount point
    /// cannot be moved away, and what is taken away at its place stays taken away.
    pub(super) fn pin_parents(&mut self, path: &Utf8Path, origin: &Origin) {
        let unpinned = |list: &Self| {
            let writable = |place: &Place| place.access == Access::Rw && list.is_on_top(place);
            list.places(path).into_iter().filter(writable).find_map(|place| {
                let around = &list.mounts[place.at].target;
                let (_, host, _, _) = host_bind(&list.mounts[place.at])?;
                let parents = place.target.parent()?.strip_prefix(around).ok()?.ancestors();
                let outermost = parents.filter(|below| *below != "").last()?;
                let fact = list.facts.path(&host.join(outermost))?;
                let op = MountOp::Bind { source: host_source(fact), access: Access::Rw };
                let target = around.join(outermost);
                (fact.kind == PathKind::Folder && !list.has_target(&target)).then_some((place.at, op, target))
            })
        };
        while let Some((at, op, target)) = unpinned(self) {
            self.mounts.insert(at + 1, Mount { op, target, origin: origin.about("kept in place") });
        }
    }

    /// Keeps a host path read-only at every place where it could be written.
    pub(super) fn keep_read_only(&mut self, path: &Utf8Path, origin: &Origin) {
        for place in self.places(path) {
            if place.access == Access::Rw && self.is_on_top(&place) {
                let op = MountOp::Bind { source: place.source, access: Access::Ro };
                self.push(op, place.target, origin.clone());
            }
        }
    }

    /// Hides a host path at every place where it is shown.
    pub(super) fn hide(&mut self, path: &Utf8Path, origin: &Origin) {
        for place in self.places(path) {
            if self.is_on_top(&place) {
                self.push(MountOp::Mask { folder: place.folder }, place.target, origin.clone());
            }
        }
        // A file made for the run may stand where the host's would: `/etc/hosts`, for one.
        let made =
            |mount: &&Mount| matches!(mount.op, MountOp::File { .. }) && is_within(&mount.target, path);
        let made: Vec<Utf8PathBuf> =
            self.mounts.iter().filter(made).map(|mount| mount.target.clone()).collect();
        for target in made {
            self.push(MountOp::Mask { folder: false }, target, origin.clone());
        }
    }

    /// Whether the agent can write a host path at its own place.
    pub(super) fn is_writable(&self, path: &Utf8Path) -> bool {
        let around = self.mounts.iter().rev().find(|mount| is_within(path, &mount.target));
        let Some((_, host, _, access)) = around.and_then(host_bind) else { return false };
        let target = around.map(|mount| mount.target.as_path());
        access == Access::Rw && target == Some(host)
    }

    /// Whether something is mounted exactly there or below.
    pub(super) fn has_target_within(&self, path: &Utf8Path) -> bool {
        self.mounts.iter().any(|mount| is_within(&mount.target, path))
    }

    /// Binds a folder onto itself, so that it cannot be moved away.
    pub(super) fn pin(&mut self, path: &Utf8Path, origin: &Origin) {
        let fact =
            self.facts.path(path).filter(|fact| fact.kind == PathKind::Folder && fact.resolved == path);
        if let Some(fact) = fact.filter(|_| !self.has_target(path)) {
            let op = MountOp::Bind { source: host_source(fact), access: Access::Rw };
            self.push(op, path, origin.clone());
        }
    }

    /// A file of the host as a source.
    pub(super) fn host_file(&self, path: &Utf8Path) -> Option<Source> {
        let fact =
            self.facts.path(path).filter(|fact| fact.kind == PathKind::File && fact.resolved == path)?;
        Some(host_source(fact))
    }

    /// Every place inside at which a bind shows the host path or something below it. Our own init is
    /// none: the sandbox needs it.
    fn places(&self, path: &Utf8Path) -> Vec<Place> {
        let Some(fact) = self.facts.path(path) else { return Vec::new() };
        let binds = self.mounts.iter().enumerate().filter(|(_, mount)| mount.target != super::INIT);
        let shown = binds.filter_map(|(at, mount)| {
            let (source, host, folder, access) = host_bind(mount)?;
            if let Ok(below) = fact.resolved.strip_prefix(host) {
                let target = if below == "" { mount.target.clone() } else { mount.target.join(below) };
                let folder = fact.kind == PathKind::Folder;
                Some(Place { at, source: host_source(fact), folder, access, target })
            } else if is_within(host, &fact.resolved) {
                Some(Place { at, source: source.clone(), folder, access, target: mount.target.clone() })
            } else {
                None
            }
        });
        shown.collect()
    }

    /// Whether no later operation covers the place.
    fn is_on_top(&self, place: &Place) -> bool {
        !self.mounts[place.at + 1..].iter().any(|later| is_within(&place.target, &later.target))
    }

    pub(super) fn finish(self) -> (Vec<Mount>, Vec<Note>, Vec<PlanError>) {
        (self.mounts, self.notes, self.refused)
    }
}

/// A place inside that shows something of the host.
struct Place {
    /// Which mount shows it.
    at: usize,
    source: Source,
    folder: bool,
    access: Access,
    target: Utf8PathBuf,
}

/// The host path that a mount binds, with whether it is a folder, and how.
fn host_bind(mount: &Mount) -> Option<(&Source, &Utf8Path, bool, Access)> {
    match mount.bind()? {
        (source @ Source::Host { path, folder, .. }, access) => Some((source, path, *folder, access)),
        (Source::Own { .. } | Source::Run { .. }, _) => None,
    }
}

fn host_source(fact: &PathFact) -> Source {
    Source::Host {
        path: fact.resolved.clone(),
        dev: fact.dev,
        ino: fact.ino,
        folder: fact.kind == PathKind::Folder,
    }
}
