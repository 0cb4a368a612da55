//! `coffer account add`.

use std::io::{IsTerminal, Read};

use coffer_account::accounts::Accounts;
use coffer_account::record::{AccountRecord, RECORD_SCHEMA};
use coffer_account::secret::Secret;
use coffer_plan::agent::CredentialKind;
use coffer_plan::facts::HostFacts;
use coffer_plan::sign_in::withhold::looks_secret;
use zeroize::Zeroizing;

use crate::cli::AccountAddCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare;
use crate::printer::Printer;
use crate::typed;

/// Longest secret, in bytes.
const MAX_SECRET: usize = 64 * 1024;

pub(super) fn add(command: &AccountAddCommand, facts: &HostFacts, printer: &Printer) -> Result<u8, Failure> {
    let name = super::name(&command.name)?;
    let kind = CredentialKind::from(command.kind);
    let agent = prepare::agent(&command.agent, facts)?;
    if kind == CredentialKind::Subscription && agent.login.is_none() {
        return Err(usage(
            format!("the agent `{}` has no login file, and so no subscription to sign in", agent.name),
            "take another `--kind`",
        )
        .into());
    }
    let accounts = Accounts::of(&facts.folders.data);
    let record = AccountRecord {
        schema: RECORD_SCHEMA,
        name: name.clone(),
        agent: agent.name,
        kind,
        created_at_ms: coffer_host::now_ms(),
        base_url: command.base_url.as_deref().map(base_url).transpose()?,
        model: command.model.clone(),
        timeout_ms: command.timeout.as_deref().map(timeout).transpose()?,
        helper: helper(kind, &command.helper)?,
        marker: None,
        refused: None,
    };
    // Before a person types a key in vain.
    if !name.is_host() && accounts.record(&name).map_err(Error::Accounts)?.is_some() {
        let exists = coffer_account::accounts::AccountsError::Exists { name };
        return Err(Error::Accounts(exists).into());
    }
    let secret = match kind {
        CredentialKind::SetupToken | CredentialKind::ApiKey | CredentialKind::AuthToken => {
            Some(secret(name.as_str())?)
        }
        CredentialKind::Subscription | CredentialKind::Helper | CredentialKind::Cloud => None,
    };
    accounts.add(&record, secret.as_ref()).map_err(Error::Accounts)?;
    printer.tell(&format!("`{name}` is added\n"));
    if kind == CredentialKind::Subscription {
        printer.tell(&format!("hint: `coffer login --account {name}` signs it in\n"));
    }
    super::changed(facts, &name, ("added", None), command.json, printer)?;
    Ok(0)
}

fn usage(message: String, hint: &str) -> Error {
    Error::Usage { message, more: Vec::new(), hint: hint.to_owned() }
}

/// A secret from stdin, or from a person who types it unseen.
fn secret(account: &str) -> Result<Secret, Error> {
    let typed = if std::io::stdin().is_terminal() {
        let prompt = format!("key or token of `{account}` (it is not shown): ");
        typed::unseen(&prompt).map_err(Error::SecretUnread)?
    } else {
        piped()?
    };
    checked(typed)
}

/// All that comes through stdin, with one line's end at its end left out. The buffer does not move, so that no
/// copy of a secret stays in freed memory.
pub(crate) fn piped() -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut typed = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 2));
    let most = u64::try_from(MAX_SECRET + 1).unwrap_or(u64::MAX);
    std::io::stdin().lock().take(most).read_to_end(&mut typed).map_err(Error::SecretUnread)?;
    if typed.last() == Some(&b'\n') {
        typed.pop();
        if typed.last() == Some(&b'\r') {
            typed.pop();
        }
    }
    Ok(typed)
}

pub(crate) fn checked(mut typed: Zeroizing<Vec<u8>>) -> Result<Secret, Error> {
    let refused = |reason: &str| {
        Err(usage(
            format!("the secret {reason}"),
            "pipe it in as it is: `… | coffer account add NAME --kind api-key`",
        ))
    };
    if typed.is_empty() {
        return refused("is empty");
    }
    if typed.len() > MAX_SECRET {
        return refused("is too long");
    }
    if typed.iter().any(u8::is_ascii_control) || std::str::from_utf8(&typed).is_err() {
        return refused("has a line break or another control character in it, or is no text");
    }
    if typed.first() == Some(&b' ') || typed.last() == Some(&b' ') {
        return refused("begins or ends with a space");
    }
    Ok(Secret::new(std::mem::take(&mut *typed)))
}

fn base_url(url: &str) -> Result<String, Error> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if authority.is_empty() || url.chars().any(|one| one.is_whitespace() || one.is_control()) {
        return Err(usage(
            "the base URL is no `http://` or `https://` URL".to_owned(),
            "`--base-url https://HOST/PATH`",
        ));
    }
    if authority.contains('@') || looks_secret("", url) {
        return Err(usage(
            "the base URL holds what looks like a secret, and would be stored as it is".to_owned(),
            "leave it out of the URL, and give it as the account's token: `--kind auth-token`",
        ));
    }
    Ok(url.to_owned())
}

fn timeout(text: &str) -> Result<u64, Error> {
    let duration: Option<jiff::SignedDuration> = text.parse().ok();
    let ms = duration.and_then(|duration| u64::try_from(duration.as_millis()).ok()).filter(|ms| *ms > 0);
    ms.ok_or_else(|| usage(format!("`{text}` is no time-out"), "`--timeout 90s`, `--timeout 10m`"))
}

fn helper(kind: CredentialKind, words: &[String]) -> Result<Option<Vec<String>>, Error> {
    match (kind == CredentialKind::Helper, words.is_empty()) {
        (true, true) => {
            Err(usage("this kind needs the program that prints the key".to_owned(), "`--helper PROGRAM…`"))
        }
        (false, false) => {
            Err(usage("only the kind `helper` has a program".to_owned(), "`--kind helper --helper PROGRAM…`"))
        }
        (false, true) => Ok(None),
        (true, false) if words.iter().any(|word| looks_secret("", word)) => Err(usage(
            "a word of the helper looks like a secret, and would be stored as it is".to_owned(),
            "let the helper get it from where it is safe",
        )),
        (true, false) => Ok(Some(words.to_vec())),
    }
}
