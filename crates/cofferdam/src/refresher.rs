//! Starts the genuine client so that it refreshes one login, and waits for its end.
//!
//! The client gets the login folder, an empty folder for everything else, and of the user's environment only
//! how the network is reached. It leads a session of its own, so that no signal of a terminal reaches it, does
//! not end with us, and inherits the account's lock: whoever kills us does not let a second one begin.

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::keeper::{ChildEnd, Job, Refresher, RefresherError};
use coffer_plan::agent::{Agent, RefreshRule};
use coffer_plan::facts::{AgentFacts, EnvFact, HostFacts, SettingsScope};
use coffer_plan::path::is_within;
use coffer_plan::sign_in::withhold::settings_variable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

#[cfg(test)]
mod tests;

/// How long the client may take. It waits up to 30 s for the token server (measured), and starts within two.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long it may take to end when it was asked to: it finishes what is in flight (measured).
const LAST_CHANCE: Duration = Duration::from_secs(15);
/// Largest settings file that is read, in bytes.
const MAX_SETTINGS_BYTES: usize = 1024 * 1024;
/// What stands for an address at which nobody listens.
const NOWHERE: &str = "${nowhere}";
/// Where a script's interpreter is looked for, besides the client's own folder.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why there is no client that could refresh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoClient {
    /// It is not installed.
    #[error("`{program}` is not on the PATH")]
    Missing {
        /// The program.
        program: String,
        /// The command that installs it.
        install: Option<String>,
    },
    /// No way to refresh was measured for its version.
    #[error("`{path}` ({version}) was not measured to refresh a login safely")]
    Version {
        /// The program.
        path: Utf8PathBuf,
        /// Its version, or that it is unknown.
        version: String,
        /// The command that installs a newer one.
        install: Option<String>,
    },
    /// Somebody else could have exchanged it.
    #[error("`{path}` is not started on the host: {reason}")]
    Untrusted {
        /// The program.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
}

impl NoClient {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { install, .. } | Self::Version { install, .. } => {
                install.as_ref().map(|command| format!("`{command}`"))
            }
            Self::Untrusted { path, .. } => Some(format!("see who may write it: `namei -l {path}`")),
        }
    }
}

/// The genuine client of an agent, found, of a version that was measured, and safe to start.
pub(crate) struct GenuineClient<'a> {
    facts: &'a HostFacts,
    rule: &'a RefreshRule,
    program: Utf8PathBuf,
    /// Where it was found: a script's interpreter lies beside it.
    found_in: Utf8PathBuf,
    /// An empty folder for it; it is made and removed under the account's lock.
    scratch: Utf8PathBuf,
}

impl<'a> GenuineClient<'a> {
    /// The client on this machine; `scratch` is a place of the account's own for its empty folders.
    pub(crate) fn find(
        facts: &'a HostFacts,
        agent: &'a Agent,
        scratch: Utf8PathBuf,
    ) -> Result<Self, NoClient> {
        let install = agent.install_hint.clone();
        let all = coffer_host::all_programs(facts, agent);
        let rule = |found: &AgentFacts| agent.login.as_ref()?.refresh_rule(found.version.as_deref()?);
        let measured = all.iter().find_map(|found| Some((found, rule(found)?)));
        let Some((found, rule)) = measured else {
            let Some(first) = all.into_iter().next() else {
                let program = agent.command.first().cloned().unwrap_or_default();
                return Err(NoClient::Missing { program, install });
            };
            let version = first.version.unwrap_or_else(|| "of an unknown version".to_owned());
            return Err(NoClient::Version { path: first.path, version, install });
        };
        for path in [&found.path, &found.resolved] {
            untouched(path, facts).map_err(|reason| NoClient::Untrusted { path: path.clone(), reason })?;
        }
        Ok(Self {
            facts,
            rule,
            program: found.resolved.clone(),
            found_in: found.path.parent().unwrap_or(Utf8Path::new("/")).to_owned(),
            scratch,
        })
    }

    fn command(&self, folder: &Utf8Path, nowhere: &str) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        command.env_clear().args(&self.rule.args).current_dir(self.scratch.join("work"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for name in &self.rule.pass {
            if let Some(value) = self.variable(name)? {
                command.env(name, value);
            }
        }
        for name in &self.rule.local {
            let mut hosts = self.variable(name)?.unwrap_or_default();
            if !hosts.is_empty() {
                hosts.push(",");
            }
            hosts.push(Ipv4Addr::LOCALHOST.to_string());
            command.env(name, hosts);
        }
        for (name, value) in &self.rule.env {
            command.env(name, value.replace(NOWHERE, nowhere));
        }
        self.folders(&mut command);
        command.env(&self.rule.login_env, folder);
        Ok(command)
    }

    /// The client's own sign-in at our terminal. What it leaves is in the folder `state` of its scratch folder.
    pub(crate) fn sign_in(&self, args: &[String]) -> io::Result<Command> {
        self.make_scratch()?;
        let mut command = Command::new(&self.program);
        command.env_clear().args(args).current_dir(self.scratch.join("work"));
        for name in self.rule.pass.iter().map(String::as_str).chain(["TERM", "LANG", "LC_ALL", "NO_COLOR"]) {
            if let Some(value) = self.variable(name)? {
                command.env(name, value);
            }
        }
        self.folders(&mut command);
        Ok(command)
    }

    /// Nothing but folders of its own.
    fn folders(&self, command: &mut Command) {
        command.env("PATH", format!("{}:{PATH}", self.found_in));
        command.env("HOME", self.scratch.join("home")).env("TMPDIR", self.scratch.join("tmp"));
        command.env(&self.rule.state_env, self.scratch.join("state"));
    }

    /// A variable as the client itself would have it: the user's settings win over the environment.
    fn variable(&self, name: &str) -> io::Result<Option<OsString>> {
        let users = self.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
        for settings in users.filter(|settings| settings.env.get(name).is_some_and(EnvFact::is_set)) {
            let read = coffer_host::read_secret(&settings.file, MAX_SETTINGS_BYTES);
            let Some(bytes) = read.map_err(io::Error::other)? else { continue };
            if let Ok(Some(value)) = settings_variable(&bytes, name) {
                return Ok(Some(value.into()));
            }
        }
        let own = coffer_host::variable(name).filter(|value| !value.is_empty());
        Ok(own.map(|value| std::os::unix::ffi::OsStringExt::from_vec(value.to_vec())))
    }

    fn make_scratch(&self) -> io::Result<()> {
        self.remove_scratch()?;
        for name in ["", "work", "home", "tmp", "state"] {
            std::fs::DirBuilder::new().mode(0o700).create(self.scratch.join(name))?;
        }
        Ok(())
    }

    fn remove_scratch(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Refresher for GenuineClient<'_> {
    fn refresh(&self, job: &Job<'_>) -> Result<ChildEnd, RefresherError> {
        let failed = |action: &str, error: io::Error| RefresherError {
            reason: format!("cannot {action}: {error}"),
            hint: None,
        };
        self.make_scratch().map_err(|error| failed("make an empty folder for the client", error))?;
        // Bound and never listened on: it refuses every connection, and nobody else can take it.
        let nowhere = unheard().map_err(|error| failed("keep a port", error))?;
        let address = nowhere.1;
        let mut command =
            self.command(job.folder, &address).map_err(|error| failed("read the settings", error))?;
        let lock = job.lock.share().map_err(|error| failed("share the lock", error))?;
        coffer_sys::process::new_session(&mut command, None);
        coffer_sys::descriptors::inherit(&mut command, vec![lock]);
        let mut child = command.spawn().map_err(|error| failed("start the client", error))?;
        drop(command);
        // It holds the refresh token. One that cannot be limited has ended, or dumps nothing anyway.
        drop(crate::memory::without_dumps(&child));
        (job.started)(i32::try_from(child.id()).unwrap_or_default());
        let ended = wait(&mut child).map_err(|error| failed("wait for the client", error))?;
        // What stays is removed by the next one.
        drop(self.remove_scratch());
        Ok(ended)
    }
}

/// A port of this machine that is taken, and at which nobody listens; it stays so until it is dropped.
fn unheard() -> io::Result<(rustix::fd::OwnedFd, String)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let address = std::net::SocketAddr::try_from(getsockname(&socket)?)?;
    Ok((socket, format!("http://{address}")))
}

/// Waits for the client's end. One that takes too long is asked to end, which lets it finish what is in
/// flight; only then it is made to.
fn wait(child: &mut Child) -> io::Result<ChildEnd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    let end = pidfd_open(pid, PidfdFlags::empty())?;
    for (patience, signal) in [(PATIENCE, Signal::TERM), (LAST_CHANCE, Signal::KILL)] {
        if ended_within(&end, patience)? {
            return child.wait().map(how);
        }
        kill_process(pid, signal)?;
    }
    child.wait()?;
    Ok(ChildEnd::TookTooLong)
}

fn how(status: ExitStatus) -> ChildEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ChildEnd::Exited(code),
        (None, signal) => ChildEnd::Signaled(signal.unwrap_or_default()),
    }
}

fn ended_within(end: &rustix::fd::OwnedFd, patience: Duration) -> io::Result<bool> {
    let deadline = std::time::Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let mut fds = [PollFd::new(end, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether nobody but root and us can have put something else there, no agent among them.
fn untouched(path: &Utf8Path, facts: &HostFacts) -> Result<(), String> {
    for (folder, what) in [
        (&facts.project.path, "the project"),
        (&facts.folders.data, "Cofferdam's data"),
        (&facts.folders.runtime, "the folders of runs"),
    ] {
        if is_within(path, folder) {
            return Err(format!("it lies in {what} (`{folder}`)"));
        }
    }
    for part in path.ancestors() {
        let found = std::fs::metadata(part).map_err(|error| format!("`{part}`: {error}"))?;
        if found.uid() != 0 && found.uid() != facts.user.uid {
            return Err(format!("`{part}` belongs to uid {}", found.uid()));
        }
        let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        if found.mode() & 0o002 != 0 && !sticky {
            return Err(format!("everybody may write `{part}`"));
        }
    }
    Ok(())
}
