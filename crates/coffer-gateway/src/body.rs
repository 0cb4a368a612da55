//! Bodies on their way through.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// Why a body ends early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is known as a whole.
pub fn whole(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}
