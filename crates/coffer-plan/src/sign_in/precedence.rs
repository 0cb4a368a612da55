//! Which credential wins inside the sandbox, and why: by the order in the agent's data file, which is
//! documented and was measured for all pairs.

use serde::Serialize;

use crate::agent::{CredentialKind, CredentialOrigin, CredentialRule};

#[cfg(test)]
mod tests;

/// The audit's Sign-in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct SignIn {
    /// The credential that the agent will use: a variable, a settings key, `login`, or nothing.
    pub winner: Option<String>,
    /// What kind it is.
    pub kind: Option<CredentialKind>,
    /// Why this one.
    pub reason: String,
    /// What the user should know about it.
    pub warning: Option<String>,
}

/// A credential that will be there inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present<'a> {
    /// Its rule in the agent's data file.
    pub rule: &'a CredentialRule,
    /// Where it was found, in words.
    pub found: &'static str,
}

/// Decides among the credentials that cross, given in the agent's order of preference.
pub fn decide(present: &[Present<'_>]) -> SignIn {
    let Some(winner) = present.first() else {
        return SignIn {
            winner: None,
            kind: None,
            reason: "no credential crosses; the agent may sign in inside".to_owned(),
            warning: None,
        };
    };
    let losers: Vec<&str> = present[1..].iter().map(|other| other.rule.source.as_str()).collect();
    let reason = match losers[..] {
        [] => format!("the only credential; {}", winner.found),
        _ => format!("{}; it comes before {} in the agent's order", winner.found, losers.join(", ")),
    };
    SignIn {
        winner: Some(winner.rule.source.clone()),
        kind: Some(winner.rule.kind),
        reason,
        warning: warning(winner, &present[1..]),
    }
}

fn warning(winner: &Present<'_>, others: &[Present<'_>]) -> Option<String> {
    let overridden = others.iter().find(|other| other.rule.from == CredentialOrigin::Login);
    let second_header = others.iter().find(|other| {
        let one_more = other.rule.headers.iter().any(|header| !winner.rule.headers.contains(header));
        one_more
            && other.rule.from != CredentialOrigin::Login
            && other.rule.kind != CredentialKind::SetupToken
    });
    let source = &winner.rule.source;
    match (overridden, second_header) {
        (_, Some(second)) => {
            Some(format!("two credential headers will be sent: `{source}` and `{}`", second.rule.source))
        }
        (Some(_), None) => {
            Some(format!("`{source}` overrides the subscription login; usage is billed to it"))
        }
        (None, None) => None,
    }
}
