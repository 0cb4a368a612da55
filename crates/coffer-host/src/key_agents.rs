//! The user's agents for SSH and GnuPG keys: which keys they have. Nothing of it is secret.
//!
//! GnuPG is asked as a person would ask it; it starts its agent when it is not there. Programs that lie where a sandbox
//! can write are not asked.

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_keys::ssh;
use coffer_plan::facts::{
    GpgAgentFact, HostFacts, KeyFacts, KeyQuestions, PathKind, Questions, SshAgentFact, SshKeyFact,
};

use crate::tools::Machine;
use crate::tools::ask::{Heard, PATIENCE, ask};
use crate::variable::variable;
use crate::{paths, search, sockets};

mod gpg;
#[cfg(test)]
mod tests;

/// How long an agent may take to tell its keys.
const AGENT_PATIENCE: Duration = Duration::from_secs(5);
/// Variables that GnuPG gets besides what every tool gets: where its keys are, and where an agent that it starts asks.
const OF_GPG: &[&str] =
    &["GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"];

/// Asks the agents that matter.
pub(crate) fn facts(facts: &HostFacts, questions: &Questions) -> KeyFacts {
    let KeyQuestions { ssh, gpg, askpass } = questions.keys;
    let machine = Machine::new(facts, questions);
    KeyFacts {
        ssh: ssh.then(ssh_agent),
        gpg: gpg.then(|| gpg_agent(&machine)),
        askpass: if askpass { self::askpass(&machine) } else { None },
    }
}

/// The value of a variable, if it is text.
fn text(name: &str) -> Option<String> {
    let value = variable(name)?;
    std::str::from_utf8(&value).ok().filter(|value| !value.is_empty()).map(str::to_owned)
}

fn ssh_agent() -> SshAgentFact {
    let Some(socket) = text("SSH_AUTH_SOCK").map(Utf8PathBuf::from) else {
        return SshAgentFact { socket: None, failed: None, keys: Vec::new() };
    };
    match ssh_keys(&socket) {
        Ok(keys) => SshAgentFact { socket: Some(socket), failed: None, keys },
        Err(error) => {
            let failed = Some(format!("it does not answer at `{socket}`: {error}"));
            SshAgentFact { socket: Some(socket), failed, keys: Vec::new() }
        }
    }
}

fn ssh_keys(socket: &Utf8Path) -> io::Result<Vec<SshKeyFact>> {
    if !socket.is_absolute() || paths::look(socket).kind != PathKind::Socket {
        return Err(io::Error::other("there is no socket"));
    }
    let mut agent = sockets::connect(socket)?;
    agent.set_read_timeout(Some(AGENT_PATIENCE))?;
    agent.set_write_timeout(Some(AGENT_PATIENCE))?;
    let fact = |key: &ssh::Identity| SshKeyFact {
        fingerprint: key.fingerprint(),
        kind: key.kind(),
        comment: String::from_utf8_lossy(&key.comment).into_owned(),
    };
    Ok(ssh::list(&mut agent)?.iter().map(fact).collect())
}

fn gpg_agent(machine: &Machine<'_>) -> GpgAgentFact {
    let mut out = GpgAgentFact { socket: None, failed: None, keys: Vec::new() };
    let listed = said(machine, "gpgconf", &["--list-dirs", "agent-extra-socket"]).and_then(|path| {
        out.socket = Some(Utf8PathBuf::from(path.trim())).filter(|path| path.is_absolute());
        let list = ["--batch", "--no-tty", "--with-colons", "--with-keygrip", "--list-secret-keys"];
        said(machine, "gpg", &list)
    });
    match listed {
        Ok(text) => {
            out.keys = gpg::keys(&text);
            let socket = out.socket.as_deref().map(|socket| (socket, paths::look(socket).kind));
            if let Some((socket, kind)) = socket
                && kind != PathKind::Socket
            {
                out.failed = Some(format!("it does not listen at `{socket}`"));
            }
        }
        Err(reason) => out.failed = Some(reason),
    }
    out
}

/// What a program of GnuPG's says.
fn said(machine: &Machine<'_>, program: &str, arguments: &[&str]) -> Result<String, String> {
    bytes(machine, program, arguments)
        .and_then(|said| String::from_utf8(said).map_err(|_| format!("what `{program}` says is no text")))
}

fn bytes(machine: &Machine<'_>, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let mut environment = machine.environment();
    environment.extend(OF_GPG.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))));
    let search_path = environment.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    let found = search::find(search_path, program).filter(|found| !machine.is_writable(&found.fact.resolved));
    let found = found.ok_or_else(|| format!("`{program}` is not on the PATH"))?;
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    match ask(&found.path, &arguments, &environment, PATIENCE) {
        Heard::Said(said) => Ok(said.to_vec()),
        Heard::Ended(code) => Err(format!("`{program}` ended with exit status {code}")),
        Heard::Failed(reason) => Err(format!("`{program}`: {reason}")),
    }
}

/// The public parts of GnuPG keys, as GnuPG writes them.
///
/// # Errors
/// When it does not; in words.
pub fn gpg_public_keys(facts: &HostFacts, fingerprints: &[String]) -> Result<Vec<u8>, String> {
    let questions = Questions::default();
    let mut arguments = vec!["--batch", "--no-tty", "--export", "--"];
    arguments.extend(fingerprints.iter().map(String::as_str));
    let exported = bytes(&Machine::new(facts, &questions), "gpg", &arguments)?;
    if exported.is_empty() { Err("`gpg` has none of these keys any more".to_owned()) } else { Ok(exported) }
}

/// The program that asks a person.
fn askpass(machine: &Machine<'_>) -> Option<Utf8PathBuf> {
    let named = text("SSH_ASKPASS").unwrap_or_else(|| "ssh-askpass".to_owned());
    let program = search::program(machine.facts(), &named)?;
    (!machine.is_writable(&program)).then_some(program)
}
