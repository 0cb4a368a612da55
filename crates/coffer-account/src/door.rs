//! The file behind the door of a service: what its commands set, as a shell reads it, and with it the word that stands
//! for the account on the gateway behind the door.

use camino::Utf8Path;
use coffer_plan::stack::ENVIRONMENT;
use zeroize::Zeroizing;

use crate::private;
use crate::read::Unread;
use crate::replace::ReplaceError;
use crate::secret::Secret;
use crate::tokens::MARK;

#[cfg(test)]
mod tests;

/// Largest file that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A variable and its value.
pub type Variable = (String, Zeroizing<String>);

/// Writes what is to be set, if it is not there already. The values have no quotation mark in them: they are names,
/// addresses and the word.
///
/// # Errors
/// When the file cannot be replaced.
pub fn write(folder: &Utf8Path, variables: &[Variable]) -> Result<(), ReplaceError> {
    let mut text = Zeroizing::new(String::new());
    for (name, value) in variables {
        for part in ["export ", name, "='", value, "'\n"] {
            text.push_str(part);
        }
    }
    if private::read(folder, ENVIRONMENT, MAX_BYTES)
        .ok()
        .flatten()
        .is_some_and(|known| *known == *text.as_bytes())
    {
        return Ok(());
    }
    private::write(folder, ENVIRONMENT, text.as_bytes())
}

/// What is to be set; `None` where nobody has written it yet.
///
/// # Errors
/// When the file cannot be read.
pub fn read(folder: &Utf8Path) -> Result<Option<Vec<Variable>>, Unread> {
    let Some(bytes) = private::read(folder, ENVIRONMENT, MAX_BYTES)? else { return Ok(None) };
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    let variable = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((name.to_owned(), Zeroizing::new(value.to_owned())))
    };
    Ok(Some(text.lines().filter_map(variable).collect()))
}

/// The word that lies behind a door, so that whoever has it already goes on with it.
pub fn word(folder: &Utf8Path) -> Option<Secret> {
    let variables = read(folder).ok()??;
    let is_word = |value: &&Zeroizing<String>| {
        let digits = value.strip_prefix(MARK);
        // As long as those that are made here.
        digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let word = variables.iter().map(|(_, value)| value).find(is_word)?;
    Some(Secret::new(word.as_bytes().to_vec()))
}
