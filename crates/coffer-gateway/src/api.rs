//! The API, with the credential put in.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::body::Body;
use crate::setup::Setup;

/// Answers a request to the API.
pub async fn answer(setup: Arc<Setup>, request: Request<Incoming>) -> Response<Body> {
    let _ = (setup, request);
    todo!()
}
