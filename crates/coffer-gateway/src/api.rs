//! The API, with the credential put in.

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::body::Body;
use crate::serve::Desk;
use crate::setup::Setup;

/// Connections to the API that one thread keeps.
pub struct Upstreams {}

impl Upstreams {
    /// None yet.
    pub fn new(setup: &Arc<Setup>) -> Self {
        let _ = setup;
        Self {}
    }
}

/// Answers a request to the API.
pub async fn answer(desk: Rc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let _ = (desk, request);
    todo!()
}
