//! The table: what each cause is called, and what it means.

use super::{Trigger, Verdict};
use crate::agent::Agent;

/// What a run does about a login, from the mildest to the hardest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum OnRun {
    /// Goes on.
    #[default]
    GoesOn,
    /// Goes on, and says so.
    SaysSo,
    /// Goes on without the login; the agent may sign in inside.
    GoesOnWithout,
    /// Tightens the modes in folders of our own and goes on; asks before it goes on with the host's.
    Tightens,
    /// Stops.
    Stops,
}

/// What the keeper does about a login, from the mildest to the hardest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum OnKeeper {
    /// Keeps it.
    #[default]
    Keeps,
    /// Tightens the modes in folders of our own, and keeps it.
    Tightens,
    /// There is nothing to keep.
    Nothing,
    /// Does not try again on this snapshot.
    NotAgain,
    /// Refreshes nothing.
    RefreshesNothing,
    /// Refreshes nothing and never writes over it.
    NeverWrites,
}

impl OnKeeper {
    /// Whether it may spend the refresh token.
    pub fn may_refresh(self) -> bool {
        match self {
            Self::Keeps | Self::Tightens => true,
            Self::Nothing | Self::NotAgain | Self::RefreshesNothing | Self::NeverWrites => false,
        }
    }
}

/// What can be found about a login, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A link leads out of the account.
    LinkOut,
    /// File or folder belong to somebody else.
    ForeignOwner,
    /// There is none.
    Missing,
    /// There is something, and it is no login.
    Corrupted,
    /// The server said that it was revoked.
    Revoked,
    /// The server refused its refresh token for good.
    Refused,
    /// It has ended, and cannot be renewed.
    Ended,
    /// A demanded scope is missing.
    Scope,
    /// File or folder may be read by others.
    WideMode,
    /// It lies elsewhere than on record.
    OtherFolder,
    /// Older than its issuer's stated lifetime.
    OldToken,
    /// It ends for good within days.
    LoginEndsSoon,
    /// It has no refresh token.
    NotRenewable,
    /// Its end is no time in milliseconds.
    OddEnd,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What it is called; advice that is no trigger has none.
    pub trigger: Option<Trigger>,
    /// What the login is worth; `None`: what the clocks say.
    pub verdict: Option<Verdict>,
    /// What a run does.
    pub run: OnRun,
    /// What the keeper does.
    pub keeper: OnKeeper,
}

impl Cause {
    /// Every cause, the weightiest first.
    pub const ALL: &[Self] = &[
        Self::LinkOut,
        Self::ForeignOwner,
        Self::Missing,
        Self::Corrupted,
        Self::Revoked,
        Self::Refused,
        Self::Ended,
        Self::Scope,
        Self::WideMode,
        Self::OtherFolder,
        Self::OldToken,
        Self::LoginEndsSoon,
        Self::NotRenewable,
        Self::OddEnd,
    ];

    /// What it means: the one table of the triggers (contract).
    pub fn meaning(self) -> Meaning {
        use OnKeeper::{Keeps, NeverWrites, NotAgain, Nothing, RefreshesNothing};
        use OnRun::{GoesOn, GoesOnWithout, SaysSo, Stops};
        use Trigger::{
            MissingCredentials, NewVolume, ScopeMismatch, SecurityViolation, TokenCorrupted, TokenExpired,
        };
        let needed = Some(Verdict::LoginNeeded);
        let row = |trigger, verdict, run, keeper| Meaning { trigger, verdict, run, keeper };
        match self {
            Self::Missing => row(Some(MissingCredentials), needed, GoesOnWithout, Nothing),
            Self::Ended | Self::Refused => row(Some(TokenExpired), needed, Stops, NotAgain),
            Self::Corrupted => row(Some(TokenCorrupted), needed, Stops, NeverWrites),
            Self::Scope => row(Some(ScopeMismatch), needed, Stops, RefreshesNothing),
            Self::OtherFolder => row(Some(NewVolume), None, SaysSo, Keeps),
            Self::WideMode => row(Some(SecurityViolation), None, OnRun::Tightens, OnKeeper::Tightens),
            Self::LinkOut | Self::ForeignOwner => row(Some(SecurityViolation), needed, Stops, NeverWrites),
            Self::Revoked => row(Some(SecurityViolation), needed, Stops, NotAgain),
            Self::OldToken | Self::LoginEndsSoon => row(None, None, SaysSo, Keeps),
            Self::NotRenewable | Self::OddEnd => row(None, None, GoesOn, Keeps),
        }
    }

    /// The command that mends it, for the account with this name; none where nothing is broken.
    pub fn hint(self, account: &str, agent: &Agent) -> Option<String> {
        let login = agent.sign_in_command(account);
        match self {
            Self::Missing | Self::Ended | Self::Refused | Self::Revoked | Self::Scope => Some(login),
            Self::Corrupted => Some(format!("`coffer backup restore --account {account}`, or {login}")),
            Self::WideMode => Some("`coffer doctor --fix`".to_owned()),
            // Neither is ours to change: doctor says how.
            Self::LinkOut | Self::ForeignOwner => Some("`coffer doctor` says how to mend it".to_owned()),
            Self::OldToken => Some(format!(
                "make a new one, then `coffer account remove {account}` and `coffer account add {account}`"
            )),
            Self::OtherFolder | Self::LoginEndsSoon | Self::NotRenewable | Self::OddEnd => None,
        }
    }
}
