//! What would have gone wrong with a login where it lies: each of these was measured with the genuine client.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::HostFacts;
use coffer_plan::sign_in::shape::LoginDetails;
use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxFlags, statvfs, statx};

use crate::adoption::Target;

#[cfg(test)]
mod tests;

/// A login file and its surroundings, as they are.
#[derive(Debug, Default)]
pub(super) struct Around {
    path: Option<Utf8PathBuf>,
    /// Its owner, when that is somebody else.
    owner: Option<u32>,
    /// Its permission bits.
    mode: u32,
    /// Nobody can write there.
    read_only: bool,
    /// It is a mount of its own.
    bound_alone: bool,
    /// Fingerprint of the user's own login.
    host: Option<String>,
    /// When it was looked at, Unix ms.
    now_ms: i64,
}

impl Around {
    pub(super) fn look(path: Option<&Utf8Path>, target: &Target, facts: &HostFacts) -> Self {
        let host = facts.login.as_ref().and_then(|login| login.shape.details());
        let mut around = Self {
            host: host.and_then(|details| details.fingerprint.clone()),
            now_ms: facts.now_ms,
            ..Self::default()
        };
        // What waits in our own folder lies where it should.
        let Some(path) = path.filter(|path| !path.starts_with(target.folder.root())) else { return around };
        around.path = Some(path.to_owned());
        let mount = |path: &Utf8Path| {
            let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
            statx(CWD, path.as_std_path(), AtFlags::SYMLINK_NOFOLLOW, flags).ok()
        };
        let parent = path.parent().unwrap_or(Utf8Path::new("/"));
        if let (Some(file), Some(folder)) = (mount(path), mount(parent)) {
            around.owner = (file.stx_uid != facts.user.uid).then_some(file.stx_uid);
            around.mode = u32::from(file.stx_mode) & 0o7777;
            around.bound_alone = file.stx_mnt_id != folder.stx_mnt_id;
            // Root may write everywhere, so the bits are asked.
            around.read_only =
                u32::from(folder.stx_mode) & 0o200 == 0 || u32::from(file.stx_mode) & 0o200 == 0;
        }
        for place in [path, parent] {
            let found = statvfs(place.as_std_path());
            around.read_only |= found.is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY));
        }
        around
    }

    /// In words; nothing when all is well. `adopted` is what was taken from there.
    pub(super) fn words(&self, adopted: Option<&LoginDetails>) -> String {
        let mut text = String::new();
        let mut say = |line: &str| text.push_str(&format!("  - {line}\n"));
        if let Some(details) = adopted {
            if details.fingerprint.is_some() && details.fingerprint == self.host {
                say(
                    "it is your own login on this host: whoever refreshes first wins, and the other is signed out; sign in anew for this account (`coffer login`), or use `--account host`",
                );
            } else if self.path.is_some() {
                say(
                    "the copy there holds the same refresh token: whoever refreshes first wins, and the other is signed out; do not go on using it",
                );
            } else {
                say(
                    "wherever it came from holds the same refresh token: whoever refreshes first wins; do not go on using the other copy",
                );
            }
            if details.expires_at_ms.is_some_and(|end| end <= self.now_ms) {
                say(
                    "its access token has ended; it is renewed at its first use, if its refresh token is still good",
                );
            }
        }
        if self.path.is_some() {
            if self.read_only {
                say(
                    "it lies where it cannot be written: a client there refreshes at the server, cannot save, and the login is burned",
                );
            }
            if self.bound_alone {
                say(
                    "it is a mount of a single file: a client cannot replace it by rename, and shares no lock with others",
                );
            }
            if let Some(uid) = self.owner {
                say(&format!(
                    "it belongs to uid {uid}: a client of yours says `Not logged in`, or cannot save"
                ));
            }
            if self.mode & 0o077 != 0 {
                say(&format!(
                    "others could read it (mode {:04o}): if they did, revoke it and sign in anew",
                    self.mode
                ));
            }
        }
        match (text.is_empty(), &self.path) {
            (true, _) => text,
            (false, Some(path)) => format!("About `{path}`:\n{text}"),
            (false, None) => format!("About where it came from:\n{text}"),
        }
    }
}
