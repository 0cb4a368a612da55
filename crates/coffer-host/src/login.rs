//! The agent's login file: where it is, by which rule, and its shape without any token.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::agent::{Agent, LoginFormat, LoginLayout};
use coffer_plan::facts::{HostFacts, LoginFact};
use coffer_plan::path::PathTemplate;
use coffer_plan::sign_in::shape::{self, LoginShape, MAX_LOGIN_BYTES};

use rustix::fs::FileType;

use crate::read::{Found, Unread, read_beneath, read_file};

/// Lower twelve bits: permissions, set-id, sticky.
const MODE_BITS: u32 = 0o7777;

/// The user's own login of an agent that has a login file, found as the agent finds it; `None` when no folder can
/// be told.
pub fn host_login(facts: &HostFacts, agent: &Agent) -> Option<LoginFact> {
    let layout = agent.login.as_ref()?;
    let (folder, found_by) =
        layout.folders.iter().find_map(|template| Some((template.expand(facts)?, rule(template, facts))))?;
    login_in(agent, folder, found_by)
}

/// The login of an agent in a folder that is known; `None` for agents without a login file.
pub fn login_in(agent: &Agent, folder: Utf8PathBuf, found_by: String) -> Option<LoginFact> {
    let layout = agent.login.as_ref()?;
    let file = folder.join(&layout.file);
    let Looked { shape, uid_mode, leads_out } = look(layout.format, &file, read_file(&file, MAX_LOGIN_BYTES));
    Some(LoginFact { folder, file, found_by, shape, uid_mode, leads_out, folder_uid_mode: None })
}

/// The login of a named account, in a folder of our own: no link is followed out of it, and the folder has
/// to be private.
pub fn login_of_account(layout: &LoginLayout, folder: &Utf8Path, account: &str) -> LoginFact {
    let file = folder.join(&layout.file);
    // A run that shares the login can write both folders.
    let read = match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) => {
            read_beneath(parent, Utf8Path::new(name).join(&layout.file).as_str(), MAX_LOGIN_BYTES)
        }
        (None, _) | (_, None) => Err(Unread::NotFile("a folder")),
    };
    let Looked { shape, uid_mode, leads_out } = look(layout.format, &file, read);
    let stat = rustix::fs::lstat(folder.as_str()).ok();
    let is_link = stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    LoginFact {
        folder: folder.to_owned(),
        file,
        found_by: format!("account {account}"),
        shape,
        uid_mode,
        leads_out: leads_out || is_link,
        folder_uid_mode: stat.map(|stat| (stat.st_uid, stat.st_mode & MODE_BITS)),
    }
}

/// What is seen of one login file.
struct Looked {
    shape: LoginShape,
    uid_mode: Option<(u32, u32)>,
    leads_out: bool,
}

fn look(format: LoginFormat, file: &Utf8Path, read: Result<Found, Unread>) -> Looked {
    let (shape, uid_mode) = match read {
        Ok(Found { content, stat }) => {
            let shape = match format {
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
    // What cannot be read has an owner all the same.
    let uid_mode = uid_mode.or_else(|| {
        let stat = rustix::fs::stat(file.as_str()).ok()?;
        Some((stat.st_uid, stat.st_mode & MODE_BITS))
    });
    Looked { shape, uid_mode, leads_out: leads_out(file) }
}

/// Whether a link takes the file out of its folder. The folder itself may be a link: it is the user's.
fn leads_out(file: &Utf8Path) -> bool {
    let is_link = rustix::fs::readlink(file.as_str(), Vec::new()).is_ok();
    let parent = file.parent().and_then(|parent| parent.canonicalize_utf8().ok());
    let inside =
        file.canonicalize_utf8().ok().zip(parent).is_some_and(|(real, parent)| real.starts_with(parent));
    is_link && !inside
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
