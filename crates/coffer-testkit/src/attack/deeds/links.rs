//! Symbolic, hard and magic links.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use coffer_sys::attempts;
use rustix::fs::{Mode, OFlags, openat};

use super::files::read;
use super::judged;
use crate::attack::{Brief, Outcome};

/// The secret that links lead to, below the home folder.
const SECRET: &str = ".ssh/id_ed25519";

fn secret(brief: &Brief) -> PathBuf {
    brief.home.join(SECRET)
}

pub(crate) fn symbolic(brief: &Brief) -> Outcome {
    let link = brief.project.join("link");
    // It may be there from another test.
    let _ = fs::remove_file(&link);
    if let Err(error) = symlink(secret(brief), &link) {
        return Outcome::refused(&error);
    }
    read(&link, brief)
}

pub(crate) fn hard(brief: &Brief) -> Outcome {
    let name = brief.project.join("second-name");
    match fs::hard_link(secret(brief), &name) {
        Ok(()) => {
            let outcome = read(&name, brief);
            // What stays is another name in the project of the test.
            let _ = fs::remove_file(&name);
            outcome
        }
        Err(error) => Outcome::refused(&error),
    }
}

pub(crate) fn above(brief: &Brief) -> Outcome {
    let read = || -> io::Result<Vec<u8>> {
        let project = File::open(&brief.project)?;
        let path = Path::new("../..").join(SECRET);
        let file = openat(&project, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = Vec::new();
        File::from(file).take(4096).read_to_end(&mut text)?;
        Ok(text)
    };
    read().map_or_else(Outcome::from, |text| judged(&text, brief))
}

pub(crate) fn first_root(brief: &Brief) -> Outcome {
    below("/proc/1/root", brief)
}

pub(crate) fn other_root(brief: &Brief) -> Outcome {
    below(&format!("/proc/{}/root", brief.process.pid), brief)
}

fn below(root: &str, brief: &Brief) -> Outcome {
    let secret = secret(brief);
    read(&Path::new(root).join(secret.strip_prefix("/").unwrap_or(&secret)), brief)
}

pub(crate) fn other_working_folder(brief: &Brief) -> Outcome {
    let folder = format!("/proc/{}/cwd", brief.process.pid);
    read(&Path::new(&folder).join("../..").join(SECRET), brief)
}

pub(crate) fn other_descriptor(brief: &Brief) -> Outcome {
    read(Path::new(&format!("/proc/{}/fd/{}", brief.process.pid, brief.process.descriptor)), brief)
}

pub(crate) fn by_handle(brief: &Brief) -> Outcome {
    let Some(handle) = &brief.handle else {
        return Outcome::Untried("the file system of the stage has no handles".to_owned());
    };
    let read = || -> io::Result<Vec<u8>> {
        let file = attempts::open_by_handle(File::open(&brief.project)?, handle)?;
        let mut text = Vec::new();
        File::from(file).take(4096).read_to_end(&mut text)?;
        Ok(text)
    };
    read().map_or_else(Outcome::from, |text| judged(&text, brief))
}

/// And back again.
pub(crate) fn rename_across(brief: &Brief) -> Outcome {
    let (from, to) = (brief.home.join("letters/private.txt"), brief.project.join("taken.txt"));
    match fs::rename(&from, &to) {
        Ok(()) => {
            let outcome = read(&to, brief);
            // If this fails the file stays in the project of the test.
            let _ = fs::rename(&to, &from);
            outcome
        }
        Err(error) => Outcome::refused(&error),
    }
}
