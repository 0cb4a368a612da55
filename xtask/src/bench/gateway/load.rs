//! Requests by `wrk`, and what it says of them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::live::Live;
use crate::error::Error;

/// What `wrk` saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// A target and how it is asked.
pub(super) struct Target<'a> {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// What stands before the path: `http://HOST` for forward proxies.
    pub(super) prefix: String,
    /// A script with the headers.
    pub(super) script: &'a Path,
}

/// Asks for `path` on so many connections for so many seconds, here or inside of a sandbox.
pub(super) fn measure(
    target: &Target<'_>,
    path: &str,
    connections: u32,
    seconds: u32,
    inside: Option<&mut Live>,
) -> Result<Seen, Error> {
    let failed = |stderr: String| Error::Failed { command: format!("wrk against {}", target.name), stderr };
    // The script puts the prefix before the path: wrk itself takes no whole addresses.
    let words = format!(
        "wrk -t1 --latency --timeout 10s -c{connections} -d{seconds}s -s '{}' 'http://{}{path}' -- '{}' 2>&1 | tr '\\n' ';'; echo",
        target.script.display(),
        target.address,
        target.prefix
    );
    let text = match inside {
        Some(live) => live.says(&words)?,
        None => {
            let output = Command::new("sh").arg("-c").arg(&words).stdin(Stdio::null()).output();
            let output = output.map_err(|source| Error::Start { command: "wrk".to_owned(), source })?;
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
    };
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return Err(failed(text));
    }
    read(&text).ok_or_else(|| failed(format!("not understood: {text}")))
}

fn read(text: &str) -> Option<Seen> {
    let after =
        |name: &str| text.split(['\n', ';']).find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    Some(Seen {
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: microseconds(after("50%")?)?,
        p99_us: microseconds(after("99%")?)?,
    })
}

/// `89.00us`, `1.20ms`, `2.00s`.
fn microseconds(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 6e7)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_wrk_says_is_understood() {
        let text = "Running 2s test @ http://127.0.0.1:1/small\n  1 threads and 1 connections\n  Thread Stats   Avg\n\
                    \x20   Latency    92.13us   22.53us   1.71ms   91.51%\n  Latency Distribution\n     50%   88.00us\n\
                    \x20    75%   96.00us\n     90%  106.00us\n     99%    1.50ms\n  21000 requests in 2.00s\n\
                    Requests/sec:  10500.25\nTransfer/sec:     12.00MB\n";
        let seen = read(text).expect("it is understood");
        assert_eq!((seen.per_second, seen.p50_us, seen.p99_us), (10500.25, 88.0, 1500.0));
        assert!(read("nothing").is_none());
    }
}
