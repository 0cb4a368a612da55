//! One connection of a sandbox to the SSH filter.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{REFUSED, Request, answer, read_frame, write_frame};
use crate::serve::{Connection, Outside, Used, Verdict};

/// Answers until the sandbox hangs up, or says something that is no frame.
///
/// # Errors
/// When the connection breaks; there is nobody left to answer then.
pub(crate) fn talk(
    sandbox: &mut impl Connection,
    outside: &impl Outside,
    keys: &BTreeMap<String, String>,
) -> io::Result<()> {
    let granted: BTreeSet<String> = keys.keys().cloned().collect();
    // What is tied to a session stays tied: the agent has one connection for each of the sandbox's.
    let mut agent = None;
    while let Some(message) = read_frame(sandbox)? {
        let request = Request::read(&message, &granted);
        let said = answered(&request, &mut agent, outside, keys, &granted);
        write_frame(sandbox, said.as_deref().unwrap_or(REFUSED))?;
    }
    Ok(())
}

/// The answer, and a note of it; `None` for no.
fn answered<O: Outside>(
    request: &Request,
    agent: &mut Option<O::Agent>,
    outside: &O,
    keys: &BTreeMap<String, String>,
    granted: &BTreeSet<String>,
) -> Option<Vec<u8>> {
    let note = |what, key: Option<&String>, verdict| {
        outside.used(&Used { what, key: key.cloned(), verdict });
    };
    match request {
        Request::Other => {
            note("other", None, Verdict::Denied);
            return None;
        }
        Request::SignByOther { key } => {
            note("sign", Some(key), Verdict::Denied);
            return None;
        }
        Request::Sign { key, .. } => {
            let called = keys.get(key).map_or(key.as_str(), String::as_str);
            if !outside.agrees("sign", called) {
                note("sign", Some(key), Verdict::Declined);
                return None;
            }
        }
        Request::List | Request::Bind { .. } => {}
    }
    let said = asked(request.forwarded()?, agent, outside).ok();
    let answer = said.and_then(|said| answer(request, &said, granted));
    let verdict = if answer.is_some() { Verdict::Allowed } else { Verdict::Failed };
    match request {
        Request::List => note("list", None, verdict),
        Request::Sign { key, .. } => note("sign", Some(key), verdict),
        Request::Bind { .. } => note("bind", None, verdict),
        Request::SignByOther { .. } | Request::Other => {}
    }
    answer
}

/// Asks the agent; a connection that broke is made anew next time.
fn asked<O: Outside>(message: &[u8], agent: &mut Option<O::Agent>, outside: &O) -> io::Result<Vec<u8>> {
    let connection = match agent {
        Some(connection) => connection,
        None => agent.insert(outside.connect()?),
    };
    let asked = write_frame(connection, message)
        .and_then(|()| read_frame(connection)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
    if asked.is_err() {
        *agent = None;
    }
    asked
}
