//! What a copy's name says: `TIME-why-token-from-lineage-digest`, each token by twelve hex digits, `0` where
//! there is none.

use super::Copy;

/// Why a copy was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its refresh token was about to be spent.
    BeforeRefresh,
    /// It had just come.
    AfterRefresh,
    /// Another login was about to take its place.
    BeforeAdoption,
    /// It had just been signed in, imported or put back.
    Adopted,
    /// A person asked for it.
    ByHand,
    /// It did not read; kept for people to look at.
    Corrupted,
}

impl Why {
    /// The word itself, as in names and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::BeforeRefresh => "before_refresh",
            Self::AfterRefresh => "after_refresh",
            Self::BeforeAdoption => "before_adoption",
            Self::Adopted => "adopted",
            Self::ByHand => "by_hand",
            Self::Corrupted => "corrupted",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [
            Self::BeforeRefresh,
            Self::AfterRefresh,
            Self::BeforeAdoption,
            Self::Adopted,
            Self::ByHand,
            Self::Corrupted,
        ]
        .into_iter()
        .find(|why| why.word() == word)
    }
}

const END: &str = ".age";
const PREFIX: &str = "sha256:";
const NONE: &str = "0";

/// The file's name.
pub(super) fn file(id: &str) -> String {
    format!("{id}{END}")
}

/// The id of a copy, from all that is known about it.
pub(super) fn write(copy: &Copy) -> String {
    let token = |fingerprint: &Option<String>| {
        let digits = fingerprint.as_deref().and_then(|text| text.strip_prefix(PREFIX));
        digits.unwrap_or(NONE).to_owned()
    };
    let (own, from, lineage) = (token(&copy.fingerprint), token(&copy.grew_from), token(&copy.lineage));
    format!("{:015}-{}-{own}-{from}-{lineage}-{}", copy.at_ms, copy.why.word(), copy.digest)
}

/// What a file's name says; `None` for what is no copy.
pub(super) fn read(file: &str) -> Option<Copy> {
    let id = file.strip_suffix(END)?;
    let [at, why, own, from, lineage, digest] = id.split('-').collect::<Vec<_>>().try_into().ok()?;
    let hex = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = |text: &str| match text {
        NONE => Some(None),
        _ if hex(text) => Some(Some(format!("{PREFIX}{text}"))),
        _ => None,
    };
    Some(Copy {
        id: id.to_owned(),
        at_ms: at.parse().ok().filter(|_| hex(digest))?,
        why: Why::of(why)?,
        fingerprint: token(own)?,
        grew_from: token(from)?,
        lineage: token(lineage)?,
        digest: digest.to_owned(),
    })
}

/// From what a login grew, and the first of its lineage, by the copies so far.
///
/// A token that was sealed before keeps what was known then. One that comes right after a refresh grew from the
/// newest one: that was sealed right before it, or was the newest already. Any other begins a lineage: a
/// sign-in, or a client that refreshed while nobody looked, of which nobody can say from what.
pub(super) fn descent(
    known: &[Copy],
    fingerprint: Option<&str>,
    why: Why,
) -> (Option<String>, Option<String>) {
    let Some(own) = fingerprint else { return (None, None) };
    let mut newest_first = known.iter().rev();
    if let Some(same) = newest_first.clone().find(|copy| copy.fingerprint.as_deref() == Some(own)) {
        return (same.grew_from.clone(), same.lineage.clone());
    }
    let spent = newest_first.find(|copy| copy.fingerprint.is_some());
    match (why, spent) {
        (Why::AfterRefresh, Some(spent)) => (spent.fingerprint.clone(), spent.lineage.clone()),
        _ => (None, Some(own.to_owned())),
    }
}
