//! What is written down. A variant's name and fields are a format that others read: they may grow, and
//! never change.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The genuine client refreshed.
    Ok,
    /// Somebody else had refreshed.
    Adopted,
    /// It may work later.
    Transient,
    /// The login is revoked, expired, or its token was used elsewhere.
    Permanent,
}

/// Something that happened. Fingerprints are `sha256:` and twelve hex digits of a refresh token's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A sandbox started.
    RunStarted {
        /// The run's id.
        run: String,
        /// Which agent.
        agent: String,
        /// In which project.
        project: Utf8PathBuf,
        /// Whose login.
        account: String,
        /// Which auth mode.
        auth: String,
    },
    /// A sandbox ended.
    RunEnded {
        /// The run's id.
        run: String,
        /// The agent's exit code, or 128 and the signal.
        code: i32,
    },
    /// A gateway let something through, or did not. No path, no header, no body.
    GatewayDecided {
        /// The run's id, the id of a token, or `gateway` for what a gateway that stands alone turned away.
        run: String,
        /// Who was asked for; `None` when the request did not get as far as to say.
        host: Option<String>,
        /// At which port.
        port: Option<u16>,
        /// What came of it: `allowed`, `denied`, `private_address`, …
        verdict: String,
        /// Who allowed it, in words; or who was turned away.
        rule: Option<String>,
        /// The credential that was put in: `sha256:` and twelve hex digits of its hash.
        credential: Option<String>,
        /// Status of the answer; 0 for tunnels.
        status: u16,
        /// Bytes of bodies or tunnels that went out.
        sent: u64,
        /// Bytes that came in.
        received: u64,
        /// From the head of the request to the last byte of the answer, in ms.
        ms: u64,
        /// How often the same happened; more than once only while more happens than can be written down. Bytes and
        /// times are sums then.
        times: u64,
    },
    /// A run asked for the use of a key of the user's. Nothing of what was to be signed or decrypted.
    KeyUsed {
        /// The run's id.
        run: String,
        /// `ssh`, `gpg`.
        agent: String,
        /// `list`, `sign`, `decrypt`, `bind`, `other`, …
        what: String,
        /// By which key: its fingerprint, and what its owner called it; `None` when the request names none, or names
        /// too many.
        key: Option<String>,
        /// What came of it: `allowed`, `denied`, `declined`, `failed`.
        verdict: String,
        /// How often the same happened.
        times: u64,
    },
    /// A token of a gateway that stands alone was made or taken away.
    TokenChanged {
        /// Its id.
        token: String,
        /// Whose credential its holder uses.
        account: String,
        /// `created`, `revoked`.
        change: String,
        /// Whom its holder may reach: the tier.
        network: String,
        /// When it ends, Unix ms.
        ends_at_ms: i64,
    },
    /// What a run did in its working copy of a state was merged back.
    StateKept {
        /// The run's id.
        run: String,
        /// The state.
        state: Utf8PathBuf,
        /// New files.
        added: u64,
        /// Files that only the copy had changed.
        changed: u64,
        /// Files that only the copy had removed.
        removed: u64,
        /// Files that both sides had changed, kept side by side.
        conflicts: u64,
        /// What was left out.
        skipped: u64,
    },
    /// A live run got a newer access token.
    LeasePublished {
        /// The run's id.
        run: String,
        /// Whose login.
        account: String,
        /// When the token ends, Unix ms.
        expires_at_ms: Option<i64>,
    },
    /// The genuine client was started to refresh.
    RefreshStarted {
        /// Whose login.
        account: String,
        /// The token that is to be spent.
        fingerprint: Option<String>,
    },
    /// A refresh ended.
    RefreshEnded {
        /// Whose login.
        account: String,
        /// How.
        outcome: Outcome,
        /// The token before.
        before: Option<String>,
        /// The token after.
        after: Option<String>,
        /// Why it was not refreshed, in words.
        error: Option<String>,
    },
    /// A lock of the agent's own client, whose owner was proven dead, was removed.
    LockSwept {
        /// The lock.
        path: Utf8PathBuf,
        /// How its owner is known to be dead.
        proof: String,
    },
    /// A login became an account's.
    LoginAdopted {
        /// Whose.
        account: String,
        /// From where: `sign_in`, `import`, `run`, `restore`.
        from: String,
        /// Its refresh token.
        fingerprint: Option<String>,
    },
    /// An account was added, removed, renamed or chosen.
    AccountChanged {
        /// Its name.
        account: String,
        /// `added`, `removed`, `renamed`, `chosen`.
        change: String,
        /// The new name, or the project.
        to: Option<String>,
    },
    /// A sealed copy of a login was made or put back.
    Backup {
        /// Whose.
        account: String,
        /// `sealed`, `restored`, `pruned`.
        change: String,
        /// Which one.
        copy: String,
    },
    /// A crash had left half a line, which was taken away: nobody had been told that it was written.
    Recovered {
        /// How much.
        bytes: u64,
    },
}
