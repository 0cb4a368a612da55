//! Keys, and memory and queues without files.

use std::ffi::CString;
use std::path::Path;

use coffer_sys::attempts;

use super::files::beginning;
use super::judged;
use crate::attack::{Brief, Outcome};

/// The name of the key that is added inside.
const ADDED: &std::ffi::CStr = c"coffer-attack-inside";

fn name(brief: &Brief) -> Option<(i32, CString)> {
    let (number, name) = brief.key.as_ref()?;
    Some((*number, CString::new(name.as_str()).ok()?))
}

fn no_key() -> Outcome {
    Outcome::Untried("the stage could not add a key".to_owned())
}

pub(crate) fn find_key(brief: &Brief) -> Outcome {
    let Some((_, name)) = name(brief) else { return no_key() };
    match attempts::find_user_key(&name).and_then(attempts::read_key) {
        Ok(value) => judged(&value, brief),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOKEY.raw_os_error()) => {
            Outcome::Own("another keyring is there".to_owned())
        }
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn read_key(brief: &Brief) -> Outcome {
    let Some((number, _)) = name(brief) else { return no_key() };
    attempts::read_key(number).map_or_else(Outcome::from, |value| judged(&value, brief))
}

pub(crate) fn add_key(brief: &Brief) -> Outcome {
    match attempts::add_user_key(ADDED, b"FAKE") {
        Ok(added) => {
            // The kernel takes it away by itself, too.
            let _ = attempts::revoke_key(added);
            match find_key(brief) {
                Outcome::Done(_) => Outcome::Done("beside the user's keys".to_owned()),
                _ => Outcome::Own("to another keyring".to_owned()),
            }
        }
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn list_keys(brief: &Brief) -> Outcome {
    beginning(Path::new("/proc/keys")).map_or_else(Outcome::from, |text| judged(&text, brief))
}

pub(crate) fn segment(brief: &Brief) -> Outcome {
    match attempts::shared_memory(brief.ipc) {
        Ok(text) => judged(&text, brief),
        Err(error) => Outcome::or_own::<()>(Err(error)),
    }
}

pub(crate) fn message_queue(brief: &Brief) -> Outcome {
    Outcome::or_own(attempts::has_message_queue(brief.ipc))
}

pub(crate) fn semaphores(brief: &Brief) -> Outcome {
    Outcome::or_own(attempts::has_semaphores(brief.ipc))
}

/// The queue that the stage made.
pub(crate) fn queue_name(canary: &str) -> Option<CString> {
    CString::new(format!("coffer-attack-{canary}")).ok()
}

pub(crate) fn posix_queue(brief: &Brief) -> Outcome {
    let Some(name) = queue_name(&brief.canary) else { return Outcome::Untried("no name".to_owned()) };
    Outcome::or_own(attempts::open_posix_queue(&name))
}

pub(crate) fn list_segments(brief: &Brief) -> Outcome {
    match beginning(Path::new("/proc/sysvipc/shm")) {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            let key = brief.ipc.to_string();
            if text.split_whitespace().any(|word| word == key) {
                Outcome::Done("it is seen".to_owned())
            } else {
                Outcome::Own("another list is there".to_owned())
            }
        }
        Err(error) => Outcome::refused(&error),
    }
}
