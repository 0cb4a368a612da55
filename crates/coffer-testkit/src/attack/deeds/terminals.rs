//! The user's terminal.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use coffer_sys::attempts;
use rustix::fs::{OFlags, fstat};

use crate::attack::{Brief, Outcome};

/// Whether it is the very terminal from which the probe was started.
fn is_users(terminal: impl AsFd, brief: &Brief) -> bool {
    let found = fstat(terminal).ok().map(|stat| (stat.st_dev, stat.st_rdev));
    found.is_some() && found == brief.terminal
}

fn type_with(brief: &Brief, high_bits: bool) -> Outcome {
    let Some(_) = brief.terminal else { return Outcome::Untried("there is no terminal".to_owned()) };
    let input = std::io::stdin();
    match attempts::push_input(&input, b' ', high_bits) {
        Ok(()) if is_users(&input, brief) => Outcome::Done("a character was typed".to_owned()),
        Ok(()) => Outcome::Own("into a terminal of its own".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn type_into(brief: &Brief) -> Outcome {
    type_with(brief, false)
}

pub(crate) fn type_into_high(brief: &Brief) -> Outcome {
    type_with(brief, true)
}

pub(crate) fn console(_: &Brief) -> Outcome {
    Outcome::of(attempts::console_state(std::io::stdin()))
}

pub(crate) fn by_name(brief: &Brief) -> Outcome {
    let Some(path) = &brief.terminal_path else {
        return Outcome::Untried("there is no terminal".to_owned());
    };
    let flags = i32::try_from((OFlags::NOCTTY | OFlags::NONBLOCK).bits()).unwrap_or_default();
    match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Ok(terminal) if is_users(&terminal, brief) => Outcome::Done("it was opened".to_owned()),
        Ok(_) => Outcome::Own("another terminal has its name, or none has".to_owned()),
        // Which of the two it is depends on its number.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Outcome::Own("another terminal has its name, or none has".to_owned())
        }
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn same(brief: &Brief) -> Outcome {
    if brief.terminal.is_none() {
        return Outcome::Untried("there is no terminal".to_owned());
    }
    if is_users(std::io::stdin(), brief) {
        return Outcome::Done("it is standard input".to_owned());
    }
    match File::open("/dev/tty").and_then(|terminal| terminal.metadata()) {
        // It is known by another name than the one behind it.
        Ok(found) if found.dev() == 0 => Outcome::refused(&std::io::ErrorKind::NotFound.into()),
        Ok(_) => Outcome::Own("a terminal of its own".to_owned()),
        Err(error) => Outcome::refused(&error),
    }
}
