//! Shows requests as they came, to whoever has to look for something in them. What is kept of a request by itself
//! holds no credential.

use std::fmt;
use std::sync::Arc;

use hyper::http::request::Parts;

/// Sees a part of a request: where it stands (`target`, `header NAME`, `body`), and its bytes.
type Look = dyn Fn(&str, &[u8]) + Send + Sync;

/// Sees every request.
#[derive(Clone)]
pub struct Tap(Arc<Look>);

impl Tap {
    /// Called for each part of each request, on the server's thread, before the request is answered.
    pub fn new(look: impl Fn(&str, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(super) fn show(&self, parts: &Parts, body: &[u8]) {
        self.0("target", parts.uri.to_string().as_bytes());
        for (name, value) in &parts.headers {
            self.0(&format!("header {name}"), value.as_bytes());
        }
        self.0("body", body);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tap")
    }
}
