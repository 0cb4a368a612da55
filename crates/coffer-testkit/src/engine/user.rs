//! The ordinary user by whom a rootless engine is run.

use std::fs;
use std::process::Command;

use super::{EngineError, ran};
use crate::require;

/// An ordinary user with ranges for user namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// As the host calls it.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// The id of its first group.
    pub gid: u32,
    /// Whether we are somebody else, and have to become it.
    other: bool,
}

impl User {
    /// The one that `COFFER_TEST_USER` names, where root runs the tests; else whoever runs them. `None` when there is
    /// none, or when it has no ranges (capabilities `user`, `subids`): the test skips.
    pub(super) fn ordinary() -> Result<Option<Self>, EngineError> {
        let own = rustix::process::geteuid();
        let name = if own.is_root() {
            let name = std::env::var("COFFER_TEST_USER").ok().filter(|name| !name.is_empty());
            let Some(name) = name else {
                require::skip("user", "`COFFER_TEST_USER` is not set");
                return Ok(None);
            };
            name
        } else {
            said(Command::new("id").arg("-un"))?
        };
        if !["/etc/subuid", "/etc/subgid"].iter().all(|file| has_range(file, &name)) {
            require::skip("subids", &format!("`{name}` has no ranges in `/etc/subuid` and `/etc/subgid`"));
            return Ok(None);
        }
        let id = |flag: &str| {
            said(Command::new("id").args([flag, name.as_str()]))?
                .parse()
                .map_err(|_| EngineError::User(name.clone()))
        };
        Ok(Some(Self { uid: id("-u")?, gid: id("-g")?, other: own.is_root(), name }))
    }

    /// The words before a command that make it this user's.
    pub(super) fn words(&self) -> Vec<String> {
        if !self.other {
            return Vec::new();
        }
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        ["setpriv", "--reuid", &uid, "--regid", &gid, "--init-groups", "--"].map(str::to_owned).into()
    }

    /// The same for a shell.
    pub(super) fn prefix(&self) -> String {
        self.words().iter().map(|word| format!("{word} ")).collect()
    }
}

fn has_range(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| line.split(':').next() == Some(name))
}

fn said(command: &mut Command) -> Result<String, EngineError> {
    Ok(String::from_utf8_lossy(&ran(command)?.stdout).trim().to_owned())
}
