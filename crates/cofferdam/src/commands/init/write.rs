//! Writes the files, all of them or none: what is there already and would be another one stops it, with the difference.

use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, chown};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use coffer_plan::stack::{File, PROGRAM, Stack};
use similar::TextDiff;

use crate::commands::stack_error::StackError;
use crate::error::Error;
use crate::printer::Printer;

/// Lines around each change.
const CONTEXT: usize = 3;

/// What is to be there.
enum Content {
    Text(String),
    /// This program.
    Program,
}

pub(super) fn write(
    stack: &Stack,
    out: &Utf8Path,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<(), Error> {
    let program = out.join(stack.folder()).join(PROGRAM);
    let mut wanted: Vec<(Utf8PathBuf, Content)> =
        stack.files().into_iter().map(|File { path, text }| (out.join(path), Content::Text(text))).collect();
    wanted.push((program, Content::Program));
    let mut missing = Vec::new();
    let mut other = None;
    for (path, content) in wanted {
        match same(&path, &content, facts, printer)? {
            None => missing.push((path, content)),
            Some(true) => {}
            Some(false) => other = other.or(Some(path)),
        }
    }
    if let Some(path) = other {
        return Err(StackError::Exists { path, out: out.to_owned() }.into());
    }
    for project in stack.services.iter().flat_map(|service| &service.projects) {
        if project.source.starts_with("projects") {
            folder(&out.join(&project.source), stack.ids)?;
        }
    }
    for (path, content) in &missing {
        put(path, content, stack.ids, facts)?;
        printer.tell(&format!("{}\n", printable(path.as_str())));
    }
    Ok(())
}

/// Whether what is at a path is what is to be there; `None` where nothing is. A difference is shown.
fn same(
    path: &Utf8Path,
    content: &Content,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<Option<bool>, Error> {
    let failed = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| Error::Store { action: "read", path, source }
    };
    let found = match std::fs::read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is something, too.
            return match path.symlink_metadata() {
                Ok(_) => Err(failed(path)(error)),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(failed(path)(error)),
    };
    match content {
        Content::Program => {
            let is_it = found == std::fs::read(&facts.coffer).map_err(failed(&facts.coffer))?;
            if !is_it {
                printer.insist(&format!("`{path}` is another `coffer` than this one\n"));
            }
            Ok(Some(is_it))
        }
        Content::Text(text) if found == text.as_bytes() => Ok(Some(true)),
        Content::Text(text) => {
            let found = String::from_utf8_lossy(&found);
            let diff = TextDiff::from_lines(found.as_ref(), text.as_str());
            let (before, after) = (format!("{path} (as it is)"), format!("{path} (as it would be)"));
            let shown = diff.unified_diff().context_radius(CONTEXT).header(&before, &after).to_string();
            for line in shown.lines() {
                printer.insist(&format!("{}\n", printable(line)));
            }
            Ok(Some(false))
        }
    }
}

fn put(path: &Utf8Path, content: &Content, ids: (u32, u32), facts: &HostFacts) -> Result<(), Error> {
    let failed = |source| Error::Store { action: "write", path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let program = matches!(content, Content::Program);
    let mut options = std::fs::OpenOptions::new();
    // Whatever has come here since it was looked at stays.
    options.write(true).create_new(true).mode(if program { 0o755 } else { 0o644 });
    let mut file = options.open(path).map_err(failed)?;
    match content {
        Content::Text(text) => io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?,
        Content::Program => {
            let read = |source| Error::Store { action: "read", path: facts.coffer.clone(), source };
            let mut own = std::fs::File::open(&facts.coffer).map_err(read)?;
            io::copy(&mut own, &mut file).map_err(failed)?;
        }
    }
    owned(path, ids).map_err(failed)
}

/// A folder for a project.
fn folder(path: &Utf8Path, ids: (u32, u32)) -> Result<(), Error> {
    let failed = |source| Error::Store { action: "make", path: path.to_owned(), source };
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(failed)?;
    owned(path, ids).map_err(failed)
}

/// What root makes belongs to whom the services run as.
fn owned(path: &Utf8Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    match rustix::process::geteuid().is_root() {
        true => chown(path, Some(uid), Some(gid)),
        false => Ok(()),
    }
}
