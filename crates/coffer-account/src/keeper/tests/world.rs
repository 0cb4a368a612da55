//! A folder, a server that rotates single-use tokens, and a client that does as it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_ledger::Ledger;
use coffer_plan::sign_in::shape::fingerprint;

use crate::disk::{Call, Disk};
use crate::keeper::{
    ChildEnd, Job, Keeper, KeeperError, LoginPlace, Need, Outcome, Refresher, RefresherError, Sealed, Vault,
};
use crate::secret::Secret;

pub(super) const NOW: i64 = 1_800_000_000_000;
pub(super) const HOUR: i64 = 3_600_000;
/// What callers want by default: a token that lives for another 20 minutes.
pub(super) const NEED: Need = Need::EndsNotWithin(20 * 60_000);

/// What the client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// Refreshes, and replaces the file by a rename.
    Renames,
    /// Refreshes, and writes the file in place.
    WritesInPlace,
    /// The server has a bad day: nothing changes.
    GetsNoAnswer,
    /// It dies after the server has rotated.
    DiesTooLate,
    /// It dies while it writes in place.
    DiesWriting,
    /// It cannot be started.
    IsMissing,
    /// The server keeps the refresh token.
    KeepsToken,
    /// It was refused, and leaves the file wiped; another client has taken the lock by then.
    WipesBeforeAnother,
}

/// The server's book: one live refresh token.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) live: Mutex<String>,
    pub(super) asked: AtomicUsize,
}

impl Server {
    fn refresh(&self, token: &str) -> Option<String> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut live = self.live.lock().unwrap();
        if *live != token {
            return None;
        }
        *live = format!("sk-ant-ort01-FAKE-{asked}");
        Some(live.clone())
    }
}

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) place: LoginPlace,
    pub(super) server: Server,
    pub(super) client: Mutex<Client>,
    pub(super) vault: MemoryVault,
    pub(super) now_ms: AtomicI64,
}

/// Copies in memory; it dies with the keeper.
#[derive(Debug, Default)]
pub(super) struct MemoryVault {
    pub(super) sealed: Mutex<Vec<(Sealed, Vec<u8>)>>,
    pub(super) successors: Mutex<BTreeMap<String, String>>,
    pub(super) broken: std::sync::atomic::AtomicBool,
}

impl Vault for MemoryVault {
    fn seal(&self, login: &[u8], why: Sealed, _: i64) -> Result<(), String> {
        if self.broken.load(Ordering::SeqCst) {
            return Err("no space left".to_owned());
        }
        self.sealed.lock().unwrap().push((why, login.to_vec()));
        Ok(())
    }

    fn newest(&self, wanted: &str) -> Result<Option<Secret>, String> {
        let sealed = self.sealed.lock().unwrap();
        let fits = |(_, login): &&(Sealed, Vec<u8>)| {
            refresh_token(login).is_some_and(|token| fingerprint(&token) == wanted)
        };
        Ok(sealed.iter().rev().find(fits).map(|(_, login)| Secret::new(login.clone())))
    }

    fn has_successor(&self, fingerprint: &str) -> bool {
        self.successors.lock().unwrap().contains_key(fingerprint)
    }
}

pub(super) fn refresh_token(login: &[u8]) -> Option<String> {
    let file: serde_json::Value = serde_json::from_slice(login).ok()?;
    Some(file["claudeAiOauth"]["refreshToken"].as_str()?.to_owned())
}

/// The text of a login file, with keys that nobody knows.
pub(super) fn login(refresh: &str, access: &str, end: i64) -> String {
    format!(
        r#"{{ "mcpOAuth": {{"x": 1.50}}, "claudeAiOauth": {{"accessToken": "{access}", "refreshToken":"{refresh}","expiresAt": {end} , "scopes":["user:inference"],"odd":[1e3]}}, "more":null}}"#
    )
}

impl World {
    pub(super) fn of(account: &str, end: i64) -> Self {
        // In memory where there is one: what is synced thousands of times is not asked of a disc.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let own = root.join("account");
        let store = root.join("login/store");
        for made in [&own, &store] {
            std::fs::create_dir_all(made).unwrap();
        }
        let place = LoginPlace {
            account: account.parse().unwrap(),
            lock: own.join("lock"),
            own,
            folder: store,
            file: ".credentials.json".to_owned(),
            client_locks: [".oauth_refresh.lock", "${folder}.lock", ".storage-write.lock"]
                .map(str::to_owned)
                .to_vec(),
            scopes: vec!["user:inference".to_owned()],
        };
        let world = Self {
            folder,
            place,
            server: Server { live: Mutex::new("sk-ant-ort01-FAKE-0".to_owned()), asked: AtomicUsize::new(0) },
            client: Mutex::new(Client::Renames),
            vault: MemoryVault::default(),
            now_ms: AtomicI64::new(NOW),
        };
        world.put(&login("sk-ant-ort01-FAKE-0", "sk-ant-oat01-FAKE-0", end));
        world
    }

    /// An account of ours whose token ends in ten minutes.
    pub(super) fn new() -> Self {
        Self::of("dev", NOW + 600_000)
    }

    pub(super) fn file(&self) -> Utf8PathBuf {
        self.place.folder.join(&self.place.file)
    }

    pub(super) fn put(&self, text: &str) {
        std::fs::write(self.file(), text).unwrap();
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    pub(super) fn asked(&self) -> usize {
        self.server.asked.load(Ordering::SeqCst)
    }

    /// The file holds a login whose refresh token is good at the server.
    #[track_caller]
    pub(super) fn is_signed_in(&self) {
        let text = self.text();
        let token = refresh_token(text.as_bytes()).unwrap_or_else(|| panic!("no login: {text}"));
        assert_eq!(token, *self.server.live.lock().unwrap(), "{text}");
        assert!(text.contains("mcpOAuth") && text.contains("more"), "{text}");
    }

    /// No lock, journal or temporary file is left.
    #[track_caller]
    pub(super) fn is_tidy(&self) {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names.retain(|name| {
            !["account", "login", "store", "lock", "keeper.json", "ledger.jsonl", "ledger"]
                .contains(&name.as_str())
        });
        assert_eq!(names, [".credentials.json"]);
    }

    pub(super) fn events(&self) -> Vec<String> {
        let text =
            std::fs::read_to_string(self.folder.path().join("ledger/ledger.jsonl")).unwrap_or_default();
        let word = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let outcome = event["outcome"].as_str().map(|outcome| format!(" {outcome}")).unwrap_or_default();
            format!("{}{outcome}", event["event"].as_str().unwrap())
        };
        text.lines().map(word).collect()
    }

    pub(super) fn keep(&self, need: Need) -> Result<Outcome, KeeperError> {
        self.keep_on(Disk::real(), need)
    }

    pub(super) fn keep_on(&self, disk: Disk<'_>, need: Need) -> Result<Outcome, KeeperError> {
        let folder = Utf8Path::from_path(self.folder.path()).unwrap().join("ledger");
        let keeper = Keeper {
            place: &self.place,
            vault: &self.vault,
            ledger: &Ledger::new(&folder),
            refresher: self,
            now_ms: &|| self.now_ms.load(Ordering::SeqCst),
            disk,
        };
        keeper.keep(need)
    }
}

impl Refresher for World {
    fn refresh(&self, job: &Job<'_>) -> Result<ChildEnd, RefresherError> {
        let client = *self.client.lock().unwrap();
        if client == Client::IsMissing {
            return Err(RefresherError { reason: "no such program".to_owned(), hint: None });
        }
        (job.started)(rustix::process::getpid().as_raw_pid());
        if client == Client::GetsNoAnswer {
            return Ok(ChildEnd::Exited(1));
        }
        let file = job.folder.join(&self.place.file);
        let text = std::fs::read_to_string(&file).unwrap();
        let token = refresh_token(text.as_bytes()).unwrap();
        let end = self.now_ms.load(Ordering::SeqCst) + 8 * HOUR;
        let after = match self.server.refresh(&token) {
            None => text.replace(&token, "").replace("sk-ant-oat01-FAKE-0", ""),
            Some(_) if client == Client::DiesTooLate => return Ok(ChildEnd::Signaled(9)),
            Some(_) if client == Client::KeepsToken => {
                *self.server.live.lock().unwrap() = token.clone();
                login(
                    &token,
                    &format!("sk-ant-oat01-FAKE-newer-{}", self.server.asked.load(Ordering::SeqCst)),
                    end,
                )
            }
            Some(new) => login(&new, &new.replace("ort01", "oat01"), end),
        };
        match client {
            Client::WipesBeforeAnother => {
                std::fs::create_dir(job.folder.join(".oauth_refresh.lock")).unwrap();
                let wiped = text.replace(&token, "").replace("sk-ant-oat01-FAKE-0", "");
                std::fs::write(&file, wiped).unwrap();
            }
            Client::DiesWriting => {
                std::fs::write(&file, &after[..20]).unwrap();
                return Ok(ChildEnd::Signaled(9));
            }
            Client::WritesInPlace => std::fs::write(&file, after).unwrap(),
            _ => {
                let beside = job.folder.join(".credentials.json.tmp.1");
                std::fs::write(&beside, after).unwrap();
                std::fs::rename(&beside, &file).unwrap();
            }
        }
        Ok(ChildEnd::Exited(0))
    }
}

/// Lets the call with this index be the last: it and all after it do not happen, as for a process that was
/// killed right before it.
pub(super) struct DiesAt {
    at: usize,
    calls: Mutex<Vec<Call>>,
}

impl DiesAt {
    pub(super) fn call(at: usize) -> Self {
        Self { at, calls: Mutex::default() }
    }

    pub(super) fn hook(&self, call: Call) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        if calls.len() > self.at { Err(io::Error::other("killed")) } else { Ok(()) }
    }

    pub(super) fn was_reached(&self) -> bool {
        self.calls.lock().unwrap().len() > self.at
    }
}

/// Lets one call fail, and no other.
pub(super) struct FailsAt {
    at: usize,
    errno: i32,
    count: AtomicUsize,
}

impl FailsAt {
    pub(super) fn call(at: usize, errno: i32) -> Self {
        Self { at, errno, count: AtomicUsize::new(0) }
    }

    pub(super) fn hook(&self, _: Call) -> io::Result<()> {
        if self.count.fetch_add(1, Ordering::SeqCst) == self.at {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }

    pub(super) fn was_reached(&self) -> bool {
        self.count.load(Ordering::SeqCst) > self.at
    }
}
