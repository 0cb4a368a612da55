//! `coffer backup verify`: every copy is opened and read to its end.

use std::fs::File;

use coffer_account::backup::{self, BackupError};
use coffer_account::copies::Why;
use coffer_account::seal::Opener;
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;
use coffer_plan::sign_in::shape;
use serde::Serialize;

use super::{account, copies, identities, of_copies};
use crate::cli::BackupVerifyCommand;
use crate::exit::{Failure, NO};
use crate::printer::Printer;

#[derive(Serialize)]
struct Verified {
    copy: String,
    good: bool,
    /// What is wrong, or what is in it.
    about: String,
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    copies: Vec<Verified>,
}

pub(super) fn verify(
    command: &BackupVerifyCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let mut verified = Vec::new();
    if command.files.is_empty() {
        let copies = copies(&account(command.account.as_deref())?, facts)?;
        let all = copies.list().map_err(of_copies)?;
        // Without any copy there may be no identity yet, either.
        let opener = if all.is_empty() { None } else { Some(Opener::of(&facts.folders.data)?) };
        for (copy, opener) in all.into_iter().zip(opener.iter().cycle()) {
            let (good, about) = match copies.open(opener, &copy) {
                Ok(plain) if shape::read(plain.expose()).details().is_some() => (true, "a login".to_owned()),
                // It was sealed because it does not read.
                Ok(_) if copy.why == Why::Corrupted => (true, "no login, as it was found".to_owned()),
                Ok(_) => (false, "it opens, and holds no login".to_owned()),
                Err(error) => (false, error.to_string()),
            };
            verified.push(Verified { copy: copy.id, good, about });
        }
    } else {
        let with = identities(&command.open, facts)?;
        for path in &command.files {
            let opened = File::open(path);
            let opened =
                opened.map_err(|source| BackupError::Io { action: "read", path: path.clone(), source });
            let read = opened.and_then(|file| backup::read(file, &with, None));
            let (good, about) = match read {
                Ok(read) => {
                    let login = read.login.as_ref().map(|login| shape::read(login.expose()));
                    let good = login.is_none_or(|login| login.details().is_some());
                    let account = &read.manifest.record;
                    (
                        good,
                        format!(
                            "`{}` ({}), {} files",
                            account.name,
                            account.kind.word(),
                            read.progress.files
                        ),
                    )
                }
                Err(error) => (false, error.to_string()),
            };
            verified.push(Verified { copy: path.to_string(), good, about });
        }
    }
    let all_good = verified.iter().all(|one| one.good);
    if command.json {
        printer.json(&Document { schema: 1, copies: verified })?;
    } else {
        let line = |one: &Verified| {
            let word = if one.good { "good" } else { "BAD " };
            format!("{word}  {}  {}\n", printable(&one.copy), printable(&one.about))
        };
        printer.data(&verified.iter().map(line).collect::<String>())?;
    }
    Ok(if all_good { 0 } else { NO })
}
