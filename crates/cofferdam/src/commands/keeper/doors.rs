//! The doors of services: for each a folder that this service alone is shown, with the gateway's socket and with what
//! its commands have to set.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use coffer_account::door::{self, Variable};
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_account::secret::Secret;
use coffer_account::tokens::{Kept, Token, Tokens, TokensError, Wanted};
use coffer_host::now_ms;
use coffer_ledger::Event;
use coffer_plan::derive::Alone;
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::NetworkTier;
use coffer_plan::stack::{PORT, ServiceName};
use zeroize::Zeroizing;

use crate::account_facts;
use crate::cli::KeeperCommand;
use crate::commands::account::now;
use crate::commands::ledger;
use crate::error::Error;
use crate::gateway::alone::AloneError;
use crate::prepare;
use crate::printer::Printer;

/// How long a service's token counts for when nobody keeps it.
const TTL_MS: i64 = 24 * 60 * 60_000;

/// The doors of all services.
pub(super) struct Doors<'a> {
    tokens: Tokens,
    doors: Vec<Door>,
    network: NetworkTier,
    facts: &'a HostFacts,
    printer: &'a Printer,
    /// What was said of a service, so that it is said once.
    said: BTreeMap<ServiceName, String>,
}

/// The door of one service.
struct Door {
    service: ServiceName,
    account: AccountName,
    folder: Utf8PathBuf,
    /// What stands for the account, behind this door alone.
    word: Secret,
}

impl<'a> Doors<'a> {
    /// With the words that lie behind the doors already: who has one goes on with it.
    pub(super) fn open(
        command: &KeeperCommand,
        facts: &'a HostFacts,
        printer: &'a Printer,
    ) -> Result<Self, TokensError> {
        let door = |served: &crate::cli::Served| {
            let folder = command.doors.join(served.service.as_str());
            let word = match door::word(&folder) {
                Some(word) => word,
                None => Tokens::word()?,
            };
            Ok(Door { service: served.service.clone(), account: served.account.clone(), folder, word })
        };
        let doors = command.services.iter().map(door).collect::<Result<_, TokensError>>()?;
        let (tokens, said) = (Tokens::of(&facts.folders.data), BTreeMap::new());
        Ok(Self { tokens, doors, network: command.network, facts, printer, said })
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.doors.iter().map(|door| &door.account)
    }

    /// Sees to every door; when to look again, Unix ms.
    pub(super) fn look(&mut self) -> i64 {
        let mut next_ms = now_ms().saturating_add(TTL_MS);
        for door in &self.doors {
            let said = match self.see_to(door) {
                Ok(token) => {
                    next_ms = next_ms.min(token.ends_at_ms.saturating_sub(TTL_MS / 2));
                    format!("`{}` uses the account `{}` as `{}`\n", door.service, door.account, token.id)
                }
                Err(error) => {
                    let first = error.findings().into_iter().next();
                    let (message, hint) =
                        first.map(|finding| (finding.message, finding.hint)).unwrap_or_default();
                    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                    format!("`{}` waits for the account `{}`: {message}{hint}\n", door.service, door.account)
                }
            };
            if self.said.get(&door.service) != Some(&said) {
                self.printer.tell(&said);
                self.said.insert(door.service.clone(), said);
            }
        }
        next_ms
    }

    /// A token that is good, and what to set with it behind the door.
    fn see_to(&self, door: &Door) -> Result<Token, Error> {
        let (_, alone) = prepare::prepare_alone(&door.account, self.network, &[])?;
        let record = account_facts::record(&AccountFolder::new(&self.facts.folders.data, &door.account))?;
        let wanted = Wanted {
            label: Some(format!("service {}", door.service)),
            account: door.account.clone(),
            network: self.network,
            allow: Vec::new(),
            ttl_ms: TTL_MS,
        };
        // The service is trusted with the account of this name, whichever has it now.
        let since_ms = record.map_or(0, |record| record.created_at_ms);
        let kept = self.tokens.keep(&door.word, &wanted, since_ms, now_ms()).map_err(AloneError::from)?;
        let (token, kept) = kept;
        if kept == Kept::Anew {
            ledger::of(self.facts).append(
                now(),
                Event::TokenChanged {
                    token: token.id.clone(),
                    account: token.account.to_string(),
                    change: "created".to_owned(),
                    network: token.network.to_string(),
                    ends_at_ms: token.ends_at_ms,
                },
            )?;
        }
        door::write(&door.folder, &what_to_set(&alone, &door.word))
            .map_err(|error| AloneError::from(TokensError::from(error)))?;
        Ok(token)
    }
}

/// What the commands of a service set.
fn what_to_set(alone: &Alone, word: &Secret) -> Vec<Variable> {
    let word = Zeroizing::new(String::from_utf8_lossy(word.expose()).into_owned());
    let gateway = format!("127.0.0.1:{PORT}");
    let proxy = format!("http://token:{}@{gateway}", *word);
    let mut set: Vec<Variable> = Vec::new();
    set.extend(alone.url_env.iter().map(|name| (name.clone(), Zeroizing::new(format!("http://{gateway}")))));
    set.extend(alone.stand_in.iter().map(|name| (name.clone(), word.clone())));
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        set.push((name.to_owned(), Zeroizing::new(proxy.clone())));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        set.push((name.to_owned(), Zeroizing::new("localhost,127.0.0.1".to_owned())));
    }
    set
}
