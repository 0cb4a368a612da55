//! The agent's login file: where it is, by which rule, and its shape without any token.

use coffer_plan::agent::{Agent, LoginFormat};
use coffer_plan::facts::{HostFacts, LoginFact};
use coffer_plan::path::PathTemplate;
use coffer_plan::sign_in::shape::{self, LoginShape, MAX_LOGIN_BYTES};

use crate::read::{Found, Unread, read_file};

/// Lower twelve bits: permissions, set-id, sticky.
const MODE_BITS: u32 = 0o7777;

/// The login of an agent that has a login file; `None` when no folder can be told.
pub(crate) fn login(facts: &HostFacts, agent: &Agent) -> Option<LoginFact> {
    let layout = agent.login.as_ref()?;
    let (folder, found_by) =
        layout.folders.iter().find_map(|template| Some((template.expand(facts)?, rule(template, facts))))?;
    let file = folder.join(&layout.file);
    let (shape, uid_mode) = match read_file(&file, MAX_LOGIN_BYTES) {
        Ok(Found { content, stat }) => {
            let shape = match layout.format {
                LoginFormat::ClaudeOauth => shape::read(&content),
            };
            (shape, Some((stat.st_uid, stat.st_mode & MODE_BITS)))
        }
        Err(Unread::Missing) => (LoginShape::Missing, None),
        Err(Unread::TooLarge(_)) => (LoginShape::Unusable { reason: "larger than 1 MiB".to_owned() }, None),
        Err(unread @ (Unread::Link | Unread::NotFile(_) | Unread::Os(_))) => {
            (LoginShape::Unreadable { error: unread.to_string() }, None)
        }
    };
    Some(LoginFact { folder, file, found_by, shape, uid_mode })
}

/// The variable that a template took its folder from, or `default`.
fn rule(template: &PathTemplate, facts: &HostFacts) -> String {
    template
        .0
        .strip_prefix("${")
        .and_then(|inner| inner.split([':', '}']).next())
        .filter(|name| facts.public_value(name).is_some())
        .unwrap_or("default")
        .to_owned()
}

#[cfg(test)]
mod tests;
