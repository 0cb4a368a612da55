//! Which credential wins inside the sandbox, and why: by the order in the agent's data file, which is
//! documented and was measured for all pairs.

use serde::Serialize;

use crate::agent::{BareRule, CredentialKind, CredentialOrigin, CredentialRule};

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
    /// What the user has to agree to before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<String>,
}

/// A credential that will be there inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present<'a> {
    /// Its rule in the agent's data file.
    pub rule: &'a CredentialRule,
    /// Where it was found, in words.
    pub found: &'static str,
}

/// What else decides which credential wins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The named account that was chosen; `None` for the user's own.
    pub account: Option<&'a str>,
    /// What makes the agent ignore some credentials, and which.
    pub bare: Option<(&'a str, &'a BareRule)>,
}

/// What makes the agent ignore credentials: an argument, or a variable that says yes inside.
pub fn bare<'a>(
    rule: &'a BareRule,
    arguments: &'a [String],
    says_yes: impl Fn(&str) -> bool,
) -> Option<(&'a str, &'a BareRule)> {
    let argument = arguments.iter().find(|word| rule.args.contains(word));
    let cause = argument.or_else(|| rule.env.iter().find(|name| says_yes(name)))?;
    Some((cause.as_str(), rule))
}

/// Whether a variable's value means no to agents that ask for yes or no.
pub fn says_no(value: &str) -> bool {
    ["", "0", "false", "no", "off"].contains(&value.to_ascii_lowercase().as_str())
}

/// Decides among the credentials that will be there inside, given in the agent's order of preference. What
/// the audit's Sign-in line and `coffer status` say comes from here.
pub fn winner(present: &[Present<'_>], around: Around<'_>) -> SignIn {
    let ignored =
        |one: &&Present<'_>| around.bare.is_some_and(|(_, rule)| rule.ignores.contains(&one.rule.kind));
    let counting: Vec<&Present<'_>> = present.iter().filter(|one| !ignored(one)).collect();
    let passed_over: Vec<&str> = present.iter().filter(ignored).map(|one| one.rule.source.as_str()).collect();
    let passed_over = match (around.bare, passed_over.as_slice()) {
        (None, _) | (_, []) => None,
        (Some((cause, _)), sources) => Some(format!("`{cause}` makes the agent ignore {}", quoted(sources))),
    };
    let Some((first, others)) = counting.split_first() else {
        return SignIn {
            winner: None,
            kind: None,
            reason: "no credential crosses; the agent may sign in inside".to_owned(),
            warning: passed_over,
            asks: None,
        };
    };
    let losers: Vec<&str> = others.iter().map(|other| other.rule.source.as_str()).collect();
    let reason = match losers[..] {
        [] => format!("the only credential; {}", first.found),
        _ => format!("{}; it comes before {} in the agent's order", first.found, losers.join(", ")),
    };
    let warnings: Vec<String> =
        [warning(first, others, around.account), passed_over].into_iter().flatten().collect();
    SignIn {
        winner: Some(first.rule.source.clone()),
        kind: Some(first.rule.kind),
        reason,
        warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
        asks: None,
    }
}

fn quoted(sources: &[&str]) -> String {
    sources.iter().map(|source| format!("`{source}`")).collect::<Vec<_>>().join(", ")
}

/// What crosses with a named account: its own credential.
pub const OF_ACCOUNT: &str = "of the account";

fn warning(winner: &Present<'_>, others: &[&Present<'_>], account: Option<&str>) -> Option<String> {
    let overridden = others.iter().find(|other| other.rule.from == CredentialOrigin::Login);
    let second_header = others.iter().find(|other| {
        let one_more = other.rule.headers.iter().any(|header| !winner.rule.headers.contains(header));
        // A cloud provider's requests are signed in its own way.
        winner.rule.kind != CredentialKind::Cloud
            && one_more
            && other.rule.from != CredentialOrigin::Login
            && other.rule.kind != CredentialKind::SetupToken
    });
    let source = &winner.rule.source;
    let beaten = account
        .filter(|_| winner.found != OF_ACCOUNT && others.iter().any(|other| other.found == OF_ACCOUNT));
    match (overridden, second_header, beaten) {
        (_, Some(second), None) => {
            Some(format!("two credential headers will be sent: `{source}` and `{}`", second.rule.source))
        }
        (_, Some(second), Some(account)) => Some(format!(
            "`{source}` overrides the account `{account}`; two credential headers will be sent: `{source}` \
             and `{}`",
            second.rule.source
        )),
        (_, None, Some(account)) => {
            Some(format!("`{source}` overrides the account `{account}`; usage is billed to it"))
        }
        (Some(_), None, None) => {
            Some(format!("`{source}` overrides the subscription login; usage is billed to it"))
        }
        (None, None, None) => None,
    }
}
