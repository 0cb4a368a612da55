//! How attacks are made.

pub(super) mod files;
pub(super) mod gateway;
pub(super) mod ipc;
pub(super) mod limits;
pub(super) mod links;
pub(super) mod mounts;
pub(super) mod network;
pub(super) mod own;
pub(super) mod processes;
pub(super) mod terminals;

use coffer_sys::attempts;

use super::table::{Attack, Deed};
use super::{Brief, Outcome};

/// Makes it.
pub(super) fn make(attack: &Attack, brief: &Brief) -> Outcome {
    match attack.deed {
        Deed::Read(path) => files::read(&brief.path(path), brief),
        Deed::Write(path) => files::write(&brief.path(path), &brief.mark(attack.name)),
        Deed::OpenToWrite(path) => files::open_to_write(&brief.path(path)),
        Deed::MayWrite(path) => files::may_write(&brief.path(path)),
        Deed::Open(path) => files::open(&brief.path(path)),
        Deed::OpenOfMachine(path) => files::open_of_machine(path, brief),
        Deed::Connect(path) => network::named_socket(&brief.path(path), brief),
        Deed::Tcp(address) => network::tcp(address, brief),
        Deed::Call(call) => Outcome::of(attempts::call(call)),
        Deed::Do(deed) | Deed::Lead(deed) => deed(brief),
    }
}

/// What was read is a canary, or something else.
pub(super) fn judged(text: &[u8], brief: &Brief) -> Outcome {
    let canary = brief.canary.as_bytes();
    if text.windows(canary.len().max(1)).any(|window| window == canary) {
        Outcome::Done("the canary was read".to_owned())
    } else {
        Outcome::Own("something else is there".to_owned())
    }
}
