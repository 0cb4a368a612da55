//! Bodies on their way through: as they come, counted, and never kept.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::api::Searched;
use crate::record::{Pending, Verdict};

/// Why a body ends early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// What goes out at once: two parts, so that nothing has to be copied when they belong together.
pub(crate) type Portion = Chain<Bytes, Bytes>;
type Polled = Poll<Option<Result<Frame<Portion>, BodyError>>>;

/// A portion of one part.
pub(crate) fn portion(bytes: Bytes) -> Portion {
    Bytes::new().chain(bytes)
}

/// A body of an answer.
pub enum Body {
    /// Nothing, or known as a whole.
    Whole(Option<Bytes>),
    /// Somebody else's, as it comes.
    Answered(Answered),
    /// The API's, searched for the credential.
    Searched(Searched),
}

impl Body {
    /// No body at all.
    pub(crate) fn nothing() -> Self {
        Self::Whole(None)
    }
}

/// A body that is known as a whole.
pub fn whole(content: impl Into<Bytes>) -> Body {
    let content = content.into();
    Body::Whole(Some(content).filter(|content| !content.is_empty()))
}

impl hyper::body::Body for Body {
    type Data = Portion;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        match &mut *self {
            Self::Whole(content) => Poll::Ready(content.take().map(|bytes| Ok(Frame::data(portion(bytes))))),
            Self::Answered(body) => body.poll(context),
            Self::Searched(body) => body.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(content) => content.is_none(),
            Self::Answered(body) => body.inner.is_end_stream(),
            Self::Searched(body) => body.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(content) => {
                SizeHint::with_exact(content.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Answered(body) => body.inner.size_hint(),
            Self::Searched(body) => body.length(),
        }
    }
}

/// A request's body on its way out, counted.
#[derive(Debug)]
pub struct Counted {
    inner: Incoming,
    bytes: Rc<Cell<u64>>,
}

impl Counted {
    /// This body; the counter grows as it goes out.
    pub fn new(inner: Incoming, bytes: Rc<Cell<u64>>) -> Self {
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
            self.bytes.set(self.bytes.get() + length as u64);
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
pub struct Answered {
    inner: Incoming,
    pending: Pending,
}

impl Answered {
    /// This body.
    pub fn new(inner: Incoming, pending: Pending) -> Self {
        Self { inner, pending }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        polled.map(|frame| match frame? {
            Ok(frame) => {
                self.pending.receives(frame.data_ref().map_or(0, Bytes::len));
                Some(Ok(frame.map_data(portion)))
            }
            Err(error) => {
                self.pending.decision.verdict = Verdict::Failed;
                Some(Err(error.into()))
            }
        })
    }
}
