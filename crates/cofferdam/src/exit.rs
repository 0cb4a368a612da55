//! The one place that picks the exit code.

use coffer_account::accounts::AccountsError;
use coffer_account::backup::BackupError;
use coffer_account::copies::CopiesError;
use coffer_account::keeper::KeeperError;
use coffer_account::seal::SealError;

use crate::commands::doctor::AttackError;
use crate::error::Error;
use crate::limits::LimitError;
use crate::printer::Printer;

/// Whenever Cofferdam failed before the agent started.
pub(crate) const BEFORE_START: u8 = 125;
/// The check says no.
pub(crate) const NO: u8 = 1;
const USAGE: u8 = 2;
/// A person has to do something.
pub(crate) const NEEDS_PERSON: u8 = 3;
const UNAVAILABLE: u8 = 4;

/// A command's failure, and whether it was `run`, whose codes belong to the agent.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) of_run: bool,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), of_run: false }
    }
}

/// The exit code of a command; a failure is printed.
pub(crate) fn code(outcome: Result<u8, Failure>, printer: &Printer) -> u8 {
    match outcome {
        Ok(code) => code,
        // Who read our output has gone, as `head` does; that is no failure worth words.
        Err(Failure { error: Error::Output(source), .. })
            if source.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            0
        }
        Err(Failure { error, of_run }) => {
            printer.failure(&error);
            if of_run { BEFORE_START } else { of(&error) }
        }
    }
}

fn of(error: &Error) -> u8 {
    match error {
        Error::Usage { .. }
        | Error::BadAccountName(_)
        | Error::BadHost(_)
        | Error::NoSuchRun { .. }
        | Error::NoAccount { .. }
        | Error::NothingToRefresh { .. }
        | Error::ConfigMissing { .. }
        | Error::Config(_)
        | Error::Data(_)
        | Error::Policy(_)
        | Error::Plan(_)
        | Error::Launch(_)
        | Error::Host(_) => USAGE,
        Error::Limits(LimitError::Unknown(_)) => USAGE,
        Error::Alone(error) if error.is_usage() => USAGE,
        Error::Stack(error) if error.is_usage() => USAGE,
        Error::Image(error) => {
            if error.is_usage() {
                USAGE
            } else {
                UNAVAILABLE
            }
        }
        Error::Accounts(error) => of_account(error),
        Error::ConfigUnfit { .. }
        | Error::HostAccount { .. }
        | Error::NoSignIn { .. }
        | Error::OtherKind { .. }
        | Error::Project { .. }
        | Error::Backup(BackupError::Recipient { .. } | BackupError::Identity { .. }) => USAGE,
        Error::Capture(error) if error.is_about_login() => NEEDS_PERSON,
        Error::Capture(_) | Error::AccountLock(_) | Error::Import { .. } | Error::LoginElsewhere { .. } => NO,
        Error::NothingPending { .. } | Error::RestoreUnconfirmed { .. } | Error::NeedsPerson(_) => {
            NEEDS_PERSON
        }
        Error::Keeper(KeeperError::NoClient(_))
        | Error::Backend(_)
        | Error::NoPrivateNetwork
        | Error::Attack(AttackError::NoStage)
        | Error::ToolMissing { .. }
        | Error::BackendFailed { .. } => UNAVAILABLE,
        Error::Run(_)
        | Error::Lab { .. }
        | Error::Attack(AttackError::Step { .. })
        | Error::SetupFailed { .. }
        | Error::GatewayFailed { .. }
        | Error::GatewayLost
        | Error::Alone(_)
        | Error::Stack(_)
        | Error::Limits(_)
        | Error::RunWithoutGateway { .. }
        | Error::GatewayNotRecorded { .. }
        | Error::Lost { .. }
        | Error::Command { .. }
        | Error::Store { .. }
        | Error::StoreBroken { .. }
        | Error::AccountBroken { .. }
        | Error::Json(_)
        | Error::Output(_)
        | Error::Ledger(_)
        | Error::Keeper(_)
        | Error::ServedAlready { .. }
        | Error::Seal(_)
        | Error::Pending(_)
        | Error::SecretUnread(_)
        | Error::Backup(_)
        | Error::NothingToBackUp { .. }
        | Error::RestoreRefused { .. }
        | Error::RestoreUnderWay { .. }
        | Error::RunUnseen { .. }
        | Error::CredentialInProject { .. }
        | Error::Untested { .. }
        | Error::LeaseRenewal(_)
        | Error::LoginEnded { .. }
        | Error::Watch { .. }
        | Error::Practice(_) => NO,
    }
}

fn of_account(error: &AccountsError) -> u8 {
    match error {
        AccountsError::Exists { .. }
        | AccountsError::Unknown { .. }
        | AccountsError::Host { .. }
        | AccountsError::Newer { .. }
        | AccountsError::Broken { .. } => USAGE,
        AccountsError::Seal(error) | AccountsError::Copies(CopiesError::Seal(error)) => of_seal(error),
        AccountsError::InTheWay { .. }
        | AccountsError::InUse { .. }
        | AccountsError::Read { .. }
        | AccountsError::Io { .. }
        | AccountsError::Write(_)
        | AccountsError::Lock(_)
        | AccountsError::Copies(_)
        | AccountsError::NoSecret { .. }
        | AccountsError::NoRandom => NO,
    }
}

/// A keyring that has to be unlocked needs a person.
fn of_seal(error: &SealError) -> u8 {
    if matches!(error, SealError::KeyringSilent { .. }) { NEEDS_PERSON } else { NO }
}

/// What clap prints itself: help and version are fine, help that nobody asked for stands for a missing
/// command.
pub(crate) fn told(told: &clap::Error) -> u8 {
    // The terminal may be gone; there is nobody left to tell then.
    let _ = told.print();
    if told.use_stderr() { USAGE } else { 0 }
}
