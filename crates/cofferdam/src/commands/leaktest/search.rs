//! Looks for secrets in bytes that come in portions, wherever they come from.
//!
//! Each secret is looked for in three pieces, each in every form: a part of it is a leak, too, and a line's end in the
//! middle of base64 hides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::document::{Counts, LeftOut};
use crate::sight::{Kind, Place, Sink};

/// So many bytes at the end of a secret are looked for; what stands before them is the same in all of its kind.
const TAIL: usize = 32;
/// In so many pieces.
const PIECES: usize = 3;
/// All pieces.
const WHOLE: u8 = (1 << PIECES) - 1;
/// So much of what was left out is told.
const MOST_LEFT_OUT: usize = 64;

/// What is looked for. It cannot be printed.
pub(crate) struct Secret {
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// The secret itself.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

impl Secret {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, bytes: Zeroizing::new(text.as_bytes().to_vec()) }
    }

    /// By what it may be named.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&*self.bytes);
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

/// What one match means.
struct Wanted {
    secret: usize,
    form: &'static str,
    piece: u8,
}

/// All forms of all secrets.
pub(crate) struct Patterns {
    automaton: AhoCorasick,
    wanted: Vec<Wanted>,
    longest: usize,
}

impl Patterns {
    pub(crate) fn of(secrets: &[Secret]) -> io::Result<Self> {
        let (mut texts, mut wanted) = (Vec::<Zeroizing<Vec<u8>>>::new(), Vec::new());
        for (secret, one) in secrets.iter().enumerate() {
            let tail = one.bytes.get(one.bytes.len().saturating_sub(TAIL)..).unwrap_or_default();
            let pieces = tail.chunks(tail.len().div_ceil(PIECES).max(1));
            for (piece, bytes) in (0_u8..).zip(pieces) {
                for (form, text) in forms(bytes) {
                    texts.push(text);
                    wanted.push(Wanted { secret, form, piece });
                }
            }
        }
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or_default();
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::DFA)).match_kind(MatchKind::Standard);
        let automaton = builder.build(texts.iter().map(|text| &text[..])).map_err(io::Error::other)?;
        Ok(Self { automaton, wanted, longest })
    }
}

impl Patterns {
    /// A text as it may be told: not when it holds what is looked for.
    pub(crate) fn concealed(&self, text: &str) -> String {
        if self.automaton.is_match(text) { "(it holds a canary itself)".to_owned() } else { text.to_owned() }
    }
}

/// The forms that are looked for, as they are named.
pub(crate) const FORMS: [&str; 7] =
    ["as it is", "url-encoded", "in JSON", "base64", "base64 for URLs", "UTF-16", "hexadecimal"];

fn forms(bytes: &[u8]) -> Vec<(&'static str, Zeroizing<Vec<u8>>)> {
    let mut all = coffer_gateway::api::forms(bytes);
    let wide = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    all.push(("UTF-16", Zeroizing::new(wide)));
    all
}

/// Where something was found: which secret, in which form, where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    /// The number of the secret.
    pub(crate) secret: usize,
    /// In which form.
    pub(crate) form: &'static str,
    /// Where.
    pub(crate) place: Place,
}

/// Takes what is seen from one side, and remembers what was found.
pub(crate) struct Searcher {
    patterns: Arc<Patterns>,
    place: Option<Place>,
    /// The end of what was searched; a secret may go on in the next portion.
    carried: Vec<u8>,
    /// Which pieces were found.
    hits: BTreeMap<Hit, u8>,
    counts: Counts,
    /// Of an earlier look.
    before: Counts,
    processes: BTreeSet<u32>,
    left_out: BTreeMap<LeftOut, u64>,
}

impl Searcher {
    pub(crate) fn new(patterns: &Arc<Patterns>) -> Self {
        Self {
            patterns: Arc::clone(patterns),
            place: None,
            carried: Vec::new(),
            hits: BTreeMap::new(),
            counts: Counts::default(),
            before: Counts::default(),
            processes: BTreeSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// All has been looked at once; what is looked at again is not counted again.
    pub(crate) fn looked(&mut self) {
        self.counts.processes = u64::try_from(self.processes.len()).unwrap_or(u64::MAX);
        self.processes.clear();
        self.place = None;
        let seen = std::mem::take(&mut self.counts);
        self.before = self.before.most(&seen);
    }

    /// Whether it has seen nothing yet.
    pub(crate) fn is_new(&self) -> bool {
        self.place.is_none()
    }

    /// What was found, and whether all of it; what was searched; what was not.
    pub(crate) fn finish(mut self) -> Searched {
        self.looked();
        Searched {
            hits: self.hits.into_iter().map(|(hit, pieces)| (hit, pieces == WHOLE)).collect(),
            counts: self.before,
            left_out: self.left_out,
        }
    }

    fn count(&mut self, place: &Place) {
        if let Some((pid, _)) = &place.process {
            self.processes.insert(*pid);
        }
        let counter = match place.kind {
            Kind::Variable => &mut self.counts.variables,
            Kind::CommandLine => &mut self.counts.command_lines,
            Kind::Process => &mut self.counts.process_texts,
            Kind::Memory => &mut self.counts.memory_regions,
            Kind::Descriptor => &mut self.counts.descriptors,
            Kind::File => &mut self.counts.files,
            Kind::Names => &mut self.counts.folders,
            Kind::Output => return,
            Kind::Connection => &mut self.counts.connections,
            Kind::Request => return,
        };
        *counter += 1;
    }
}

/// What came of a search.
pub(crate) struct Searched {
    /// What was found, and whether all pieces of it were.
    pub(crate) hits: Vec<(Hit, bool)>,
    /// What was searched.
    pub(crate) counts: Counts,
    /// What was not searched, and how often for the same reason.
    pub(crate) left_out: BTreeMap<LeftOut, u64>,
}

impl Searched {
    /// Both together.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.hits.extend(other.hits);
        self.counts = self.counts.and(&other.counts);
        for (one, times) in other.left_out {
            *self.left_out.entry(one).or_default() += times;
        }
        self
    }
}

impl Sink for Searcher {
    fn begin(&mut self, place: &Place) -> io::Result<()> {
        self.carried.clear();
        if self.place.as_ref() != Some(place) {
            self.count(place);
            self.place = Some(place.clone());
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        self.counts.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let known = self.carried.len();
        self.carried.extend_from_slice(bytes);
        for found in self.patterns.automaton.find_iter(&self.carried) {
            let wanted = self.patterns.wanted.get(found.pattern().as_usize());
            if let Some(Wanted { secret, form, piece }) = wanted.filter(|_| found.end() > known) {
                let hit = Hit { secret: *secret, form, place: place.clone() };
                *self.hits.entry(hit).or_default() |= 1 << piece;
            }
        }
        let keep = self.carried.len().saturating_sub(self.patterns.longest.saturating_sub(1));
        self.carried.drain(..keep);
        Ok(())
    }

    fn left_out(&mut self, what: &str, why: &str) -> io::Result<()> {
        let one = LeftOut { what: what.chars().take(200).collect(), why: why.chars().take(200).collect() };
        if self.left_out.len() < MOST_LEFT_OUT || self.left_out.contains_key(&one) {
            *self.left_out.entry(one).or_default() += 1;
        } else {
            let more = LeftOut { what: "more of the kind".to_owned(), why: "too many to name".to_owned() };
            *self.left_out.entry(more).or_default() += 1;
        }
        Ok(())
    }
}
