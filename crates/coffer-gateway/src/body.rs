//! Bodies on their way through: as they come, counted, and never kept.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming, SizeHint};

use crate::record::Pending;

/// Why a body ends early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is known as a whole.
pub fn whole(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A request's body on its way out, counted.
#[derive(Debug)]
pub struct Counted {
    inner: Incoming,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    /// This body; the counter grows as it goes out.
    pub fn new(inner: Incoming, bytes: Arc<AtomicU64>) -> Self {
        Self { inner, bytes }
    }
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body on its way in, counted; its decision is written down when it ends.
pub struct Answered<B> {
    inner: B,
    sent: Arc<AtomicU64>,
    pending: Pending,
}

impl<B> Answered<B> {
    /// This body; `sent` counts what went out for it.
    pub fn new(inner: B, sent: Arc<AtomicU64>, pending: Pending) -> Self {
        Self { inner, sent, pending }
    }
}

impl<B> hyper::body::Body for Answered<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.pending.decision.received += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            Poll::Ready(Some(Err(_))) => self.pending.decision.verdict = crate::record::Verdict::Failed,
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Answered<B> {
    fn drop(&mut self) {
        self.pending.decision.sent = self.sent.load(Ordering::Relaxed);
    }
}
