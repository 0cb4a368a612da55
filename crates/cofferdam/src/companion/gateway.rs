//! What is told at the end about the gateway: once, and never into the middle of a screen that the agent draws.

use coffer_plan::host::{Endpoint, HostPattern, HostRule};

use crate::error::Error;
use crate::gateway::Heard;
use crate::printer::Printer;

/// The most hosts that are named.
const MOST_NAMED: usize = 20;

/// Tells who could not be reached, or in the tier `learn` who was. Why the gateway could not begin is returned.
pub(super) fn report(heard: &Heard, learns: bool, printer: &Printer) -> Option<Error> {
    if let Some((message, hint)) = &heard.failed {
        return Some(Error::GatewayFailed { message: message.clone(), hint: hint.clone() });
    }
    if heard.lost {
        printer.failure(&Error::GatewayLost);
    }
    if let Some(message) = &heard.not_recorded {
        printer.failure(&Error::GatewayNotRecorded { message: message.clone() });
    }
    let denied = rules(heard, "denied");
    if !denied.is_empty() {
        printer.insist(&listed("Not let through:", &denied));
    }
    let private = rules(heard, "private_address");
    if !private.is_empty() {
        printer.insist(&listed("Not let through, its name leads to a private address:", &private));
    }
    let reached = rules(heard, "allowed");
    if learns && !reached.is_empty() {
        printer.insist(&listed("Reached:", &reached));
    }
    None
}

fn rules(heard: &Heard, verdict: &str) -> Vec<String> {
    let rule = |text: &str| {
        let Endpoint { host, port } = text.parse().ok()?;
        Some(HostRule { host: HostPattern::Exact(host), port }.to_string())
    };
    heard.endpoints(verdict).filter_map(rule).collect()
}

fn listed(title: &str, rules: &[String]) -> String {
    let mut text = format!("{title}\n");
    for rule in rules.iter().take(MOST_NAMED) {
        text.push_str(&format!("  {rule}\n"));
    }
    if rules.len() > MOST_NAMED {
        text.push_str(&format!("  and {} more: `coffer ledger show`\n", rules.len() - MOST_NAMED));
    }
    let named: Vec<&str> = rules.iter().take(MOST_NAMED).map(String::as_str).collect();
    text.push_str(&format!("hint: `coffer allow {}`\n", named.join(" ")));
    text
}
