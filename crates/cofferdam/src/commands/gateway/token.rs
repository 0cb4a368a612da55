//! `coffer gateway token`: who may use the gateway, for which account, until when.

use coffer_account::tokens::{ID_MARK, Token, Tokens, Wanted, Worth};
use coffer_ledger::Event;
use coffer_plan::derive::Alone;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{
    GatewayTokenCommand, GatewayTokenCreateCommand, GatewayTokenListCommand, GatewayTokenVerb, Listen,
};
use crate::commands::account::{name, now};
use crate::commands::ledger;
use crate::error::Error;
use crate::exit::Failure;
use crate::gateway::alone::{AloneError, sockets};
use crate::prepare;
use crate::printer::Printer;

pub(super) fn token(command: &GatewayTokenCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    let tokens = Tokens::of(&facts.folders.data);
    match &command.verb {
        GatewayTokenVerb::Create(command) => create(command, &tokens, &facts, printer),
        GatewayTokenVerb::List(command) => list(command, &tokens, facts.now_ms, printer),
        GatewayTokenVerb::Revoke(command) => {
            let token = tokens.revoke(&command.id).map_err(AloneError::from)?;
            printer.tell(&format!("`{}` counts for nothing any more\n", token.id));
            ledger::of(&facts).append(now(), changed(&token, "revoked"))?;
            Ok(0)
        }
    }
}

fn changed(token: &Token, change: &str) -> Event {
    Event::TokenChanged {
        token: token.id.clone(),
        account: token.account.to_string(),
        change: change.to_owned(),
        network: token.network.to_string(),
        ends_at_ms: token.ends_at_ms,
    }
}

fn create(
    command: &GatewayTokenCreateCommand,
    tokens: &Tokens,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let account = name(&command.account)?;
    // What could not be used is not made.
    let (_, alone) = prepare::prepare_alone(&account, command.network, &command.allow)?;
    let wanted = Wanted {
        label: command.label.clone(),
        account,
        network: command.network,
        allow: command.allow.clone(),
        ttl_ms: command.ttl,
    };
    let (token, word) = tokens.create(wanted, coffer_host::now_ms()).map_err(AloneError::from)?;
    if let Err(error) = ledger::of(facts).append(now(), changed(&token, "created")) {
        // Nobody has it yet: what is not on record is not handed out.
        tokens.revoke(&token.id).map_err(AloneError::from)?;
        return Err(error.into());
    }
    printer.tell(&what_to_set(&token, &alone, facts));
    let line = zeroize::Zeroizing::new(String::from_utf8_lossy(word.expose()).into_owned());
    printer.data(&line)?;
    Ok(0)
}

/// How the holder of a token uses it; the token itself is `$TOKEN`.
fn what_to_set(token: &Token, alone: &Alone, facts: &HostFacts) -> String {
    let mut text = format!(
        "`{}` stands for the account `{}` until {}; it is shown this once. With it in $TOKEN:\n",
        token.id,
        token.account,
        time(token.ends_at_ms)
    );
    let mut line = |what: &str, set: String| text.push_str(&format!("  {what:<16}{set}\n"));
    let stand_in = alone.stand_in.as_ref().map(|name| format!(" {name}=$TOKEN")).unwrap_or_default();
    if let Some(url) = &alone.url_env {
        line("the API", format!("{url}=http://ADDRESS:PORT{stand_in}"));
        if let (Some(socket), Listen::Unix(path)) =
            (&alone.socket_env, sockets::usual(&facts.folders.runtime))
        {
            line("by the socket", format!("{socket}={path} {url}=http://localhost{stand_in}"));
        }
    }
    line(
        "the proxy",
        "HTTPS_PROXY=http://token:$TOKEN@ADDRESS:PORT HTTP_PROXY=$HTTPS_PROXY NO_PROXY=localhost,127.0.0.1"
            .to_owned(),
    );
    text
}

/// One token, as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    label: Option<&'a str>,
    account: &'a str,
    network: &'a str,
    allow: Vec<String>,
    created_at: Timestamp,
    ends_at: Timestamp,
    /// `good`, `ended`, `too_early`.
    worth: &'static str,
}

/// `coffer gateway token list --json`.
#[derive(Serialize)]
struct All<'a> {
    schema: u32,
    tokens: Vec<Shown<'a>>,
}

fn list(
    command: &GatewayTokenListCommand,
    tokens: &Tokens,
    now_ms: i64,
    printer: &Printer,
) -> Result<u8, Failure> {
    let all = tokens.read().map_err(AloneError::from)?;
    if command.json {
        let tokens = all.iter().map(|token| shown(token, now_ms)).collect();
        printer.json(&All { schema: 1, tokens })?;
        return Ok(0);
    }
    if all.is_empty() {
        printer
            .tell("there are no tokens; `coffer gateway token create --account NAME --ttl 8h` makes one\n");
    }
    for token in &all {
        let ends = match token.worth(now_ms) {
            Worth::Good => format!("until {}", time(token.ends_at_ms)),
            Worth::Ended => format!("ended {}", time(token.ends_at_ms)),
            Worth::TooEarly => "the clock stands before its making".to_owned(),
        };
        let mut line = format!("{}  {}  {}  {ends}", token.id, token.account, token.network);
        for rule in &token.allow {
            line.push_str(&format!("  +{rule}"));
        }
        if let Some(label) = &token.label {
            line.push_str(&format!("  {label}"));
        }
        printer.data(&printable(&line))?;
    }
    Ok(0)
}

fn shown(token: &Token, now_ms: i64) -> Shown<'_> {
    Shown {
        id: &token.id,
        label: token.label.as_deref(),
        account: token.account.as_str(),
        network: token.network.word(),
        allow: token.allow.iter().map(ToString::to_string).collect(),
        created_at: time(token.created_at_ms),
        ends_at: time(token.ends_at_ms),
        worth: match token.worth(now_ms) {
            Worth::Good => "good",
            Worth::Ended => "ended",
            Worth::TooEarly => "too_early",
        },
    }
}

/// A time to the second.
fn time(ms: i64) -> Timestamp {
    let at = Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
    ledger::seconds(at)
}

/// Lets the holder of a token reach more hosts; whether there is such a token.
///
/// # Errors
/// When the tokens cannot be read or written.
pub(crate) fn allow(
    id: &str,
    hosts: &[coffer_plan::host::HostRule],
    facts: &HostFacts,
) -> Result<bool, Error> {
    if !id.starts_with(ID_MARK) {
        return Ok(false);
    }
    Tokens::of(&facts.folders.data).allow(id, hosts).map_err(AloneError::from)?;
    Ok(true)
}
