//! What came of the attacks of one class in one sandbox, counted.

use cofferdam::comparison::{Outcome, Row, Verdict};

use super::Peer;

/// What came of one attack, as the page says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    Blocked,
    Private,
    /// It succeeded, and this is said to let it.
    Granted(String),
    /// It succeeded, and nothing says so.
    Allowed,
    /// It does not succeed without a sandbox either.
    Unproven,
    Untried,
}

/// One sandbox of the page.
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    judge: Box<dyn Fn(&Row) -> Came + 'a>,
}

impl<'a> Column<'a> {
    /// Ours: what grants an attack is an entry of the plan.
    pub(super) fn of_ours() -> Self {
        Self { name: "coffer", judge: Box::new(|row| came(row, row.coffer, row.grant.clone())) }
    }

    /// Another: what grants an attack is what it says of itself.
    pub(super) fn of_peer(peer: &'a Peer, outcome: &'a Outcome) -> Self {
        let judge = |row: &Row| {
            let verdict = outcome.lines.get(&row.name).map_or(Verdict::Untried, |line| line.verdict);
            came(row, verdict, peer.grant(&row.name, &row.class).map(str::to_owned))
        };
        Self { name: &peer.name, judge: Box::new(judge) }
    }

    pub(super) fn judge(&self, row: &Row) -> Came {
        (self.judge)(row)
    }
}

/// What succeeds in a sandbox is shown by that, also where it does not succeed without one.
fn came(row: &Row, verdict: Verdict, grant: Option<String>) -> Came {
    match verdict {
        Verdict::Allowed => grant.map_or(Came::Allowed, Came::Granted),
        Verdict::Untried => Came::Untried,
        Verdict::Blocked | Verdict::Private if !row.proven => Came::Unproven,
        Verdict::Blocked => Came::Blocked,
        Verdict::Private => Came::Private,
    }
}

/// How many came to what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) blocked: usize,
    pub(super) private: usize,
    pub(super) granted: usize,
    pub(super) allowed: usize,
    pub(super) unproven: usize,
    pub(super) untried: usize,
}

impl Counts {
    pub(super) fn of<'a>(column: &Column, rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            let one = match column.judge(row) {
                Came::Blocked => &mut counts.blocked,
                Came::Private => &mut counts.private,
                Came::Granted(_) => &mut counts.granted,
                Came::Allowed => &mut counts.allowed,
                Came::Unproven => &mut counts.unproven,
                Came::Untried => &mut counts.untried,
            };
            *one += 1;
        }
        counts
    }

    /// A row of the page's tables.
    pub(super) fn row(&self, name: &str) -> String {
        let Self { blocked, private, granted, allowed, unproven, untried } = self;
        format!("| {name} | {blocked} | {private} | {granted} | {allowed} | {unproven} | {untried} |\n")
    }
}

/// The head of the page's tables.
pub(super) const HEAD: &str =
    "| | blocked | private | granted | allowed | unproven | untried |\n|---|---|---|---|---|---|---|\n";
