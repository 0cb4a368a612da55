//! Looks for the credential in what the API answers. Whoever gets the API to say back what it was sent would have it
//! otherwise.
//!
//! An answer goes through as it comes. Only an end that may belong to a credential is held back, until the next bytes
//! tell. What may belong to one is decided by what every credential looks like, not by what this one is: whoever saw
//! where an answer is parted could otherwise guess it letter by letter.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use bytes::{Buf as _, Bytes, BytesMut};
use coffer_account::secret::Secret;
use http::HeaderMap;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use zeroize::Zeroizing;

use crate::body::{BodyError, Portion, portion};
use crate::record::{Pending, Verdict};
use crate::setup::Credential;

#[cfg(test)]
mod tests;

/// What is shorter would be found everywhere.
const SHORTEST: usize = 8;

/// The forms in which a credential could come back: as it is, in hex, in base64 at each of the three alignments and in
/// both alphabets, and with the escapes of addresses and of JSON. It cannot be printed.
pub struct Echoes {
    finder: Option<AhoCorasick>,
    longest: usize,
    shortest: usize,
    /// Whether all of them are made of [`usual`] characters.
    usual: bool,
}

/// Characters of credentials in any of the forms.
fn usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_+/=%.~\\".contains(&byte)
}

impl Echoes {
    /// Of this credential.
    pub fn of(secret: &Secret) -> Self {
        let mut texts: Vec<_> = forms(secret.expose()).into_iter().map(|(_, text)| text).collect();
        texts.retain(|text| text.len() >= SHORTEST);
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let shortest = texts.iter().map(|text| text.len()).min().unwrap_or(usize::MAX);
        let usual = texts.iter().all(|text| text.iter().copied().all(usual));
        // The small kind: what may be a beginning is looked for in another way, and seldom found. It fails for more
        // patterns than a number can count.
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::ContiguousNFA));
        let finder = builder.build(texts.iter().map(|text| &text[..])).ok().filter(|_| longest > 0);
        Self { finder, longest, shortest, usual }
    }

    /// Whether one of them is in the text.
    pub fn are_in(&self, text: &[u8]) -> bool {
        let could_be = self.finder.as_ref().filter(|_| text.len() >= self.shortest);
        could_be.is_some_and(|finder| finder.is_match(text))
    }

    /// How much of an end may belong to a credential that goes on, in bytes.
    fn open_end(&self, text: &[u8]) -> usize {
        let most = self.longest.saturating_sub(1).min(text.len());
        if !self.usual {
            return most;
        }
        text.iter().rev().take(most).take_while(|byte| usual(**byte)).count()
    }
}

/// The forms in which bytes may stand in a text, each with its name and each once: as they are, with the escapes of
/// addresses and of JSON, in hex, and in base64 at each of the three alignments and in both alphabets.
pub fn forms(raw: &[u8]) -> Vec<(&'static str, Zeroizing<Vec<u8>>)> {
    let mut all: Vec<(&'static str, Zeroizing<Vec<u8>>)> = vec![("as it is", Zeroizing::new(raw.to_vec()))];
    let mut add = |name, text: Vec<u8>| {
        let text = Zeroizing::new(text);
        if all.iter().all(|(_, known)| **known != *text) {
            all.push((name, text));
        }
    };
    let escaped: String = url::form_urlencoded::byte_serialize(raw).collect();
    add("url-encoded", in_lower_case_escapes(&escaped));
    add("url-encoded", escaped.into_bytes());
    add("in JSON", with_escaped_slashes(raw));
    if let Ok(text) = std::str::from_utf8(raw) {
        let quoted = Zeroizing::new(serde_json::Value::from(text).to_string().into_bytes());
        add("in JSON", quoted.get(1..quoted.len() - 1).unwrap_or_default().to_vec());
    }
    add("hexadecimal", raw.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
    add("hexadecimal", raw.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect());
    for shift in 0..3 {
        add("base64", in_base64(raw, shift, &base64::engine::general_purpose::STANDARD_NO_PAD).to_vec());
        add(
            "base64 for URLs",
            in_base64(raw, shift, &base64::engine::general_purpose::URL_SAFE_NO_PAD).to_vec(),
        );
    }
    all
}

/// `%2F` as `%2f`.
fn in_lower_case_escapes(escaped: &str) -> Vec<u8> {
    let mut bytes = escaped.as_bytes().to_vec();
    let mut left = 0;
    for byte in &mut bytes {
        match (*byte, left) {
            (b'%', _) => left = 2,
            (_, 1..) => {
                byte.make_ascii_lowercase();
                left -= 1;
            }
            _ => {}
        }
    }
    bytes
}

/// `/` as JSON may escape it.
fn with_escaped_slashes(raw: &[u8]) -> Vec<u8> {
    let escaped = |byte: &u8| [Some(b'\\').filter(|_| *byte == b'/'), Some(*byte)];
    raw.iter().flat_map(escaped).flatten().collect()
}

/// The characters of base64 that stand for these bytes alone, when they begin `shift` bytes into a group.
fn in_base64(raw: &[u8], shift: usize, engine: &impl base64::Engine) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(vec![0_u8; shift]);
    padded.extend_from_slice(raw);
    // The last group counts as far as it is whole.
    let whole = padded.len() / 3 * 3;
    let text = Zeroizing::new(engine.encode(padded.get(..whole).unwrap_or_default()).into_bytes());
    // The first characters stand for the bytes before, in part or whole.
    let skip = (shift * 8).div_ceil(6);
    Zeroizing::new(text.get(skip..).unwrap_or_default().to_vec())
}

/// Portions on their way through.
#[derive(Debug, Default)]
struct Sieve {
    /// What may belong to a credential.
    held: Bytes,
}

impl Sieve {
    /// What may go on; `None` when the credential is in it.
    fn sift(&mut self, echoes: &Echoes, mut fresh: Bytes) -> Option<Portion> {
        if echoes.are_in(&fresh) {
            return None;
        }
        let before = std::mem::take(&mut self.held);
        if before.is_empty() {
            self.held = fresh.split_off(fresh.len() - echoes.open_end(&fresh));
            return Some(portion(fresh));
        }
        // What lies across both, or all of it where that is short.
        let across = fresh.len().min(echoes.longest);
        let mut seam = BytesMut::with_capacity(before.len() + across);
        seam.extend_from_slice(&before);
        seam.extend_from_slice(fresh.get(..across).unwrap_or_default());
        if echoes.are_in(&seam) {
            return None;
        }
        if across < fresh.len() {
            self.held = fresh.split_off(fresh.len() - echoes.open_end(&fresh));
            return Some(before.chain(fresh));
        }
        let mut both = seam.freeze();
        self.held = both.split_off(both.len() - echoes.open_end(&both));
        Some(portion(both))
    }
}

/// An answer's body: counted, and searched where a credential went out.
pub struct Searched {
    inner: Incoming,
    credential: Option<Arc<Credential>>,
    sieve: Sieve,
    /// They come last, behind what was held.
    trailers: Option<HeaderMap>,
    pending: Pending,
}

impl Searched {
    pub(super) fn new(inner: Incoming, credential: Option<Arc<Credential>>, pending: Pending) -> Self {
        Self { inner, credential, sieve: Sieve::default(), trailers: None, pending }
    }

    fn cut(&mut self) -> BodyError {
        self.pending.decision.verdict = Verdict::Echoed;
        self.sieve.held = Bytes::new();
        "the answer held the credential".into()
    }

    /// What is left once nothing comes any more: it was the beginning of something else.
    fn rest(&mut self) -> Option<Frame<Portion>> {
        if self.sieve.held.is_empty() {
            return self.trailers.take().map(Frame::trailers);
        }
        Some(Frame::data(portion(std::mem::take(&mut self.sieve.held))))
    }

    fn sift(&mut self, fresh: Bytes) -> Result<Portion, BodyError> {
        let Some(credential) = &self.credential else { return Ok(portion(fresh)) };
        let passed = self.sieve.sift(&credential.echoes, fresh);
        let passed = passed.ok_or_else(|| self.cut())?;
        let (first, last) = passed.into_inner();
        // Behind the last bytes nothing can go on.
        if first.is_empty() && self.inner.is_end_stream() {
            return Ok(last.chain(std::mem::take(&mut self.sieve.held)));
        }
        Ok(first.chain(last))
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Portion>, BodyError>>> {
        loop {
            if self.trailers.is_some() {
                return Poll::Ready(self.rest().map(Ok));
            }
            let frame = match ready!(std::pin::Pin::new(&mut self.inner).poll_frame(context)) {
                None => return Poll::Ready(self.rest().map(Ok)),
                Some(Err(error)) => {
                    self.pending.decision.verdict = Verdict::Failed;
                    return Poll::Ready(Some(Err(error.into())));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(fresh) => {
                    self.pending.receives(fresh.len());
                    match self.sift(fresh) {
                        Ok(passed) if !passed.has_remaining() => {}
                        Ok(passed) => return Poll::Ready(Some(Ok(Frame::data(passed)))),
                        Err(cut) => return Poll::Ready(Some(Err(cut))),
                    }
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    if self.says(&trailers) {
                        return Poll::Ready(Some(Err(self.cut())));
                    }
                    self.trailers = Some(trailers);
                }
            }
        }
    }

    fn says(&self, trailers: &HeaderMap) -> bool {
        let echoes = self.credential.as_ref().map(|credential| &credential.echoes);
        let mut said = trailers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        said.any(|text| echoes.is_some_and(|echoes| echoes.are_in(text)))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.sieve.held.is_empty() && self.trailers.is_none() && self.inner.is_end_stream()
    }

    pub(crate) fn length(&self) -> SizeHint {
        match (self.inner.size_hint().exact(), self.sieve.held.len() as u64) {
            (Some(rest), held) => SizeHint::with_exact(rest + held),
            (None, _) => SizeHint::new(),
        }
    }
}
