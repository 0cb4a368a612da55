//! A program's way through a forward proxy: standard input and output carried by CONNECT. `ssh` uses it as its
//! `ProxyCommand`.

use std::io;
use std::net::SocketAddr;

use coffer_plan::host::Endpoint;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tunnel::one_way;

/// How much is heard of why it cannot be, in bytes.
const MAX_WORDS: usize = 4096;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The proxy cannot be reached, or broke off.
    #[error("cannot reach the proxy: {0}")]
    Proxy(io::Error),
    /// The proxy does not speak HTTP.
    #[error("the proxy does not answer well: {0}")]
    Http(hyper::Error),
    /// The proxy says no.
    #[error("{0}")]
    Refused(String),
}

/// Carries bytes between `input`, `output` and a host behind the proxy until the host has ended.
///
/// # Errors
/// When there is no tunnel, or it breaks.
pub async fn connect<R, W>(
    proxy: SocketAddr,
    to: &Endpoint,
    mut input: R,
    mut output: W,
) -> Result<(), ConnectError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let stream = TcpStream::connect(proxy).await.map_err(ConnectError::Proxy)?;
    stream.set_nodelay(true).map_err(ConnectError::Proxy)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(ConnectError::Http)?;
    let driven = tokio::task::spawn_local(connection.with_upgrades());
    let bad = |error: http::Error| ConnectError::Refused(error.to_string());
    let uri: Uri = to.to_string().parse().map_err(|error: http::uri::InvalidUri| bad(error.into()))?;
    let request = Request::builder().method(Method::CONNECT).uri(uri).body(Empty::<bytes::Bytes>::new());
    let answer = sender.send_request(request.map_err(bad)?).await.map_err(ConnectError::Http)?;
    if !answer.status().is_success() {
        let status = answer.status();
        let words = Limited::new(answer.into_body(), MAX_WORDS).collect().await;
        let words = words.map(|words| String::from_utf8_lossy(&words.to_bytes()).trim().to_owned());
        return Err(ConnectError::Refused(
            words.ok().filter(|words| !words.is_empty()).unwrap_or(status.to_string()),
        ));
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(ConnectError::Http)?;
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    // The end of what comes is the end of all: nobody reads any more what would still be said.
    let up = async {
        one_way(&mut input, &mut to).await?;
        std::future::pending::<io::Result<()>>().await
    };
    let down = one_way(&mut from, &mut output);
    let ended = tokio::select! {
        ended = down => ended,
        broken = up => broken,
    };
    driven.abort();
    ended.map_err(ConnectError::Proxy)
}
