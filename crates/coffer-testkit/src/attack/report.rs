//! The table of verdicts.

use super::column::Column;
use super::{Attack, Grant, Verdict, attacks};

/// How an attack in one column is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Refused, or only on what is its own.
    Held(Verdict),
    /// It succeeded, and the plan grants it.
    Granted,
    /// It succeeded, and nothing grants it.
    Open,
    /// It was not tried.
    Untried,
}

/// Judges one attack; `grants` says whether the plan of the column holds a grant.
#[must_use]
pub fn judge(attack: &Attack, column: &Column, grants: &dyn Fn(Grant) -> bool) -> Judged {
    match column.verdict(attack) {
        Verdict::Allowed if attack.grant != Grant::Never && grants(attack.grant) => Judged::Granted,
        Verdict::Allowed => Judged::Open,
        Verdict::Untried => Judged::Untried,
        held @ (Verdict::Blocked | Verdict::Private) => Judged::Held(held),
    }
}

/// Whether it was shown, without any sandbox, that the attack can succeed here.
#[must_use]
pub fn is_proven(attack: &Attack, outside: &Column) -> bool {
    outside.verdict(attack) == Verdict::Allowed
}

impl Judged {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held(verdict) => verdict.word(),
            Self::Granted => "granted",
            Self::Open => "OPEN",
            Self::Untried => "untried",
        }
    }
}

/// A text table: a row for each attack with its class, whether it is proven, and a word for each column.
#[must_use]
pub fn table(outside: &Column, columns: &[(&Column, &dyn Fn(Grant) -> bool)]) -> String {
    let wide = attacks().map(|attack| attack.name.len()).max().unwrap_or_default();
    let mut text = format!("{:wide$}  {:11}  {:8}", "attack", "class", "outside");
    for (column, _) in columns {
        text.push_str(&format!("  {:9}", column.name));
    }
    text = text.trim_end().to_owned();
    text.push('\n');
    for attack in attacks() {
        let proven = if is_proven(attack, outside) { "proven" } else { "unproven" };
        let mut row = format!("{:wide$}  {:11}  {proven:8}", attack.name, attack.class.word());
        for (column, grants) in columns {
            row.push_str(&format!("  {:9}", judge(attack, column, grants).word()));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
