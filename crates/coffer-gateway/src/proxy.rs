//! The forward proxy.

use std::net::SocketAddr;
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::body::Body;
use crate::serve::Desk;

/// Answers a request to the forward proxy.
pub async fn answer(desk: Rc<Desk>, request: Request<Incoming>) -> Response<Body> {
    let _ = (desk, request);
    todo!()
}

/// Carries bytes to one service of the host.
pub async fn forward<S>(desk: &Desk, to: SocketAddr, stream: S) {
    let _ = (desk, to, stream);
    todo!()
}
