//! The practice API for shell scripts: prints one JSON line with its addresses and serves until it is ended.
#![forbid(unsafe_code)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use coffer_testkit::{Answer, FakeApi, Fault, LoginSpec, Rule};

/// A practice API and token server on 127.0.0.1
#[derive(Debug, Parser)]
struct Args {
    /// Port for plain HTTP (0: a free one)
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Also serve TLS on this port (0: a free one)
    #[arg(long)]
    tls_port: Option<u16>,
    /// Another name for the server certificate
    #[arg(long)]
    tls_name: Vec<String>,
    /// Write the CA certificate here
    #[arg(long, requires = "tls_port")]
    ca_out: Option<PathBuf>,
    /// Append a JSON line per request here
    #[arg(long)]
    log: Option<PathBuf>,
    /// Answer this text instead of an echo
    #[arg(long)]
    answer: Option<String>,
    /// Issue a login and write it here as a `.credentials.json`
    #[arg(long)]
    login_out: Option<PathBuf>,
    /// Seconds until that login's access token ends, may be negative
    #[arg(long, default_value_t = 28_800, allow_hyphen_values = true)]
    login_expires_in: i64,
    /// Seconds until that login itself ends; token answers tell it then
    #[arg(long, allow_hyphen_values = true)]
    login_ends_in: Option<i64>,
    /// Give that login no refresh token
    #[arg(long)]
    refreshless: bool,
    /// Rotate tokens at once, but answer token requests so many milliseconds later
    #[arg(long, value_name = "MS")]
    slow_token: Option<u64>,
    /// Issue a Gemini key and write it here
    #[arg(long)]
    gemini_key_out: Option<PathBuf>,
    /// Issue an API key and write it here
    #[arg(long)]
    api_key_out: Option<PathBuf>,
    /// Revoke the whole family when a refresh token is used twice
    #[arg(long)]
    revoke_on_reuse: bool,
}

fn main() -> ExitCode {
    match serve(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to report a failing stderr to.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut builder =
        FakeApi::builder().listen(loopback(args.port)).revoke_family_on_reuse(args.revoke_on_reuse);
    if let Some(port) = args.tls_port {
        builder = builder.tls(loopback(port));
    }
    for name in &args.tls_name {
        builder = builder.tls_name(name);
    }
    if let Some(path) = &args.ca_out {
        builder = builder.ca_out(path);
    }
    if let Some(path) = &args.log {
        builder = builder.log(path);
    }
    if let Some(text) = args.answer {
        builder = builder.answer(Answer::Text(text));
    }
    let api = builder.start()?;
    if let Some(slow) = args.slow_token {
        api.script(Rule::times("/v1/oauth/token", Fault::Slow(Duration::from_millis(slow)), u32::MAX));
    }
    if let Some(path) = &args.login_out {
        let spec = LoginSpec {
            expires_in: args.login_expires_in,
            refreshable: !args.refreshless,
            login_ends_in: args.login_ends_in,
            ..LoginSpec::default()
        };
        write_secret(path, &api.issue_login(&spec).credentials_json())?;
    }
    if let Some(path) = &args.gemini_key_out {
        write_secret(path, &api.add_gemini_key())?;
    }
    if let Some(path) = &args.api_key_out {
        write_secret(path, &api.add_api_key())?;
    }
    let ready = serde_json::json!({
        "base_url": api.base_url(),
        "tls": api.tls_addr().map(|addr| addr.to_string()),
        "pid": std::process::id(),
    });
    writeln!(std::io::stdout(), "{ready}")?;
    loop {
        // Ended by a signal; a park may return for no reason.
        std::thread::park();
    }
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
