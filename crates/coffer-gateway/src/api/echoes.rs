//! Looks for the credential in what the API answers. Whoever gets the API to say back what it was sent would have it
//! otherwise.
//!
//! An answer goes through as it comes. Only an end that may be the beginning of the credential is held back, until the
//! next bytes tell.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use coffer_account::secret::Secret;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use memchr::memchr_iter;
use memchr::memmem::Finder;
use zeroize::Zeroizing;

use crate::body::BodyError;
use crate::record::{Pending, Verdict};
use crate::setup::Credential;

#[cfg(test)]
mod tests;

/// What is shorter would be found everywhere.
const SHORTEST: usize = 8;

/// The forms in which a credential could come back: as it is, in base64 at each of the three alignments and in both
/// alphabets, and with `%` escapes. It cannot be printed.
pub struct Echoes(Vec<Form>);

struct Form {
    text: Zeroizing<Vec<u8>>,
    finder: Finder<'static>,
}

impl Echoes {
    /// Of this credential.
    pub fn of(secret: &Secret) -> Self {
        let raw = secret.expose();
        let mut texts: Vec<Zeroizing<Vec<u8>>> = vec![Zeroizing::new(raw.to_vec())];
        let escaped: String = url::form_urlencoded::byte_serialize(raw).collect();
        texts.push(Zeroizing::new(escaped.into_bytes()));
        for shift in 0..3 {
            for engine in [
                &base64::engine::general_purpose::STANDARD_NO_PAD,
                &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            ] {
                texts.push(in_base64(raw, shift, engine));
            }
        }
        let mut forms: Vec<Form> = Vec::new();
        for text in texts {
            if text.len() >= SHORTEST && forms.iter().all(|known| *known.text != *text) {
                let finder = Finder::new(&text[..]).into_owned();
                forms.push(Form { text, finder });
            }
        }
        Self(forms)
    }

    /// Whether one of them is in the text.
    pub fn are_in(&self, text: &[u8]) -> bool {
        self.0.iter().any(|form| form.finder.find(text).is_some())
    }

    /// Where the longest end begins with which one of them may begin.
    fn begins_at(&self, text: &[u8]) -> usize {
        let begin = |form: &Form| {
            let first = *form.text.first()?;
            let from = text.len().saturating_sub(form.text.len() - 1);
            let end = text.get(from..)?;
            let mut places = memchr_iter(first, end);
            places
                .find(|at| end.get(*at..).is_some_and(|rest| form.text.starts_with(rest)))
                .map(|at| from + at)
        };
        self.0.iter().filter_map(begin).min().unwrap_or(text.len())
    }
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

/// An answer's body: counted, and searched where a credential went out.
pub(super) struct Searched {
    inner: Incoming,
    credential: Option<Arc<Credential>>,
    /// What may be the beginning of the credential.
    held: Bytes,
    /// What stands behind the last chunk, when something was held back before it.
    trailers: Option<HeaderMap>,
    sent: Arc<AtomicU64>,
    pending: Pending,
}

impl Searched {
    pub(super) fn new(
        inner: Incoming,
        credential: Option<Arc<Credential>>,
        sent: Arc<AtomicU64>,
        pending: Pending,
    ) -> Self {
        Self { inner, credential, held: Bytes::new(), trailers: None, sent, pending }
    }

    /// What of a portion may go on; an error when the credential is in it.
    fn sift(&mut self, portion: Bytes) -> Result<Bytes, BodyError> {
        let Some(credential) = &self.credential else { return Ok(portion) };
        let mut text = if self.held.is_empty() {
            portion
        } else {
            let mut joined = BytesMut::with_capacity(self.held.len() + portion.len());
            joined.extend_from_slice(&self.held);
            joined.extend_from_slice(&portion);
            joined.freeze()
        };
        if credential.echoes.are_in(&text) {
            return Err(self.cut());
        }
        self.held = text.split_off(credential.echoes.begins_at(&text));
        Ok(text)
    }

    fn cut(&mut self) -> BodyError {
        self.pending.decision.verdict = Verdict::Echoed;
        self.held = Bytes::new();
        "the answer held the credential".into()
    }
}

impl Body for Searched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        loop {
            let polled = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
            let frame = match polled {
                None if self.held.is_empty() => return Poll::Ready(None),
                // Nothing comes any more: it was the beginning of something else.
                None => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.held))))),
                Some(Err(error)) => {
                    self.pending.decision.verdict = Verdict::Failed;
                    return Poll::Ready(Some(Err(error.into())));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(portion) => {
                    self.pending.decision.received += portion.len() as u64;
                    match self.sift(portion) {
                        Ok(text) if text.is_empty() => {}
                        Ok(text) => return Poll::Ready(Some(Ok(Frame::data(text)))),
                        Err(cut) => return Poll::Ready(Some(Err(cut))),
                    }
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    let echoes = self.credential.as_ref().map(|credential| &credential.echoes);
                    let mut said = trailers
                        .iter()
                        .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
                    if said.any(|text| echoes.is_some_and(|echoes| echoes.are_in(text))) {
                        drop(said);
                        return Poll::Ready(Some(Err(self.cut())));
                    }
                    drop(said);
                    if self.held.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                    // Nothing of the body comes any more: it was the beginning of something else.
                    self.trailers = Some(trailers);
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.held)))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.trailers.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.inner.size_hint().exact(), self.held.len() as u64) {
            (Some(rest), held) => SizeHint::with_exact(rest + held),
            (None, _) => SizeHint::new(),
        }
    }
}

impl Drop for Searched {
    fn drop(&mut self) {
        self.pending.decision.sent = self.sent.load(Ordering::Relaxed);
    }
}
