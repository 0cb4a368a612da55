//! `[limits]`: what layers say about resources. A project that nobody trusted can only cap them.

use serde::Deserialize;

use super::merge::Proposal;
use crate::origin::{Decided, Origin};
use crate::plan::{Bound, Count, Cpus, Size};

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// `--memory`.
    pub memory: Option<Bound<Size>>,
    /// `--pids`.
    pub pids: Option<Bound<Count>>,
    /// `--cpus`.
    pub cpus: Option<Bound<Cpus>>,
}

/// The keys of [`LimitSettings`].
pub(super) const LIMIT_KEYS: &[&str] = &["cpus", "memory", "pids"];

/// What was said about one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<T> {
    /// By the strongest layer that a person or the product wrote; `None` leaves it to the default.
    pub said: Option<Decided<Bound<T>>>,
    /// By a project that nobody trusted, since then.
    pub cap: Option<Decided<T>>,
}

impl<T> Default for Wish<T> {
    fn default() -> Self {
        Self { said: None, cap: None }
    }
}

impl<T: Copy + Ord + std::fmt::Display> Wish<T> {
    fn apply(&mut self, said: Option<Bound<T>>, origin: Origin) {
        if let Some(said) = said {
            *self = Self { said: Some(Decided::new(said, origin)), cap: None };
        }
    }

    /// What a project may say: less. What the default is shows only on the machine, so it is compared there.
    fn tighten(&mut self, said: Option<Bound<T>>, origin: Origin) -> Option<Bound<T>> {
        let bound = said?;
        let wider = self.said.as_ref().is_some_and(|said| bound > said.value);
        match bound {
            Bound::Of(cap) if !wider => {
                self.cap = Some(Decided::new(cap, origin));
                None
            }
            Bound::Of(_) | Bound::Unbounded => Some(bound),
        }
    }

    /// What counts on a machine with this default.
    pub(crate) fn settle(self, default: Option<T>) -> Decided<Option<T>> {
        let said = self.said.map(|said| Decided::new(said.value.value(), said.origin));
        let said = said.unwrap_or_else(|| Decided::new(default, Origin::built_in("default")));
        match self.cap {
            Some(cap) if said.value.is_none_or(|said| cap.value < said) => {
                Decided::new(Some(cap.value), cap.origin)
            }
            Some(_) | None => said,
        }
    }
}

/// What was said about all limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitWishes {
    /// Memory.
    pub memory: Wish<Size>,
    /// Processes.
    pub pids: Wish<Count>,
    /// Processors.
    pub cpus: Wish<Cpus>,
}

impl LimitWishes {
    /// A layer that a person or the product wrote.
    pub(super) fn apply(&mut self, said: &LimitSettings, origin: impl Fn(&str) -> Origin) {
        self.memory.apply(said.memory, origin("limits.memory"));
        self.pids.apply(said.pids, origin("limits.pids"));
        self.cpus.apply(said.cpus, origin("limits.cpus"));
    }

    /// A project's own file that nobody trusted; what it may not say comes back.
    pub(super) fn tighten(&mut self, said: &LimitSettings, origin: impl Fn(&str) -> Origin) -> Vec<Proposal> {
        let refused = [
            ("memory", self.memory.tighten(said.memory, origin("limits.memory")).map(|to| to.to_string())),
            ("pids", self.pids.tighten(said.pids, origin("limits.pids")).map(|to| to.to_string())),
            ("cpus", self.cpus.tighten(said.cpus, origin("limits.cpus")).map(|to| to.to_string())),
        ];
        let refused = refused.into_iter().filter_map(|(name, to)| Some((name, to?)));
        let propose = |(name, to)| Proposal {
            text: format!("{name} limit `{to}` (`--{name} {to}`)"),
            origin: origin(&format!("limits.{name}")),
        };
        refused.map(propose).collect()
    }
}
