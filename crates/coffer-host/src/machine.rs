//! The machine as this process sees it, and the facts that every plan wants.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{FACTS_SCHEMA, HostFacts, KeyFacts, SocketFacts};

use crate::environment::{self, value};
use crate::error::HostError;
use crate::{bubblewrap, cache, cgroups, git_config, kernel, paths, project, user};

/// Reads what every plan wants: all of [`HostFacts`] but the agent, its settings and its login, and the
/// paths that somebody asks about.
///
/// # Errors
/// Without a usable current folder, home name, PATH or `/proc`, and when the project's `.coffer.toml`
/// cannot be read.
pub fn base() -> Result<HostFacts, HostError> {
    Machine::this()?.base()
}

/// Where facts are read from: this process's own environment and folder, or a test's.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Every variable, in the order in which the process got them.
    pub environment: Vec<(OsString, OsString)>,
    /// The current folder, absolute.
    pub current_folder: PathBuf,
    /// Where `proc` is mounted.
    pub proc: Utf8PathBuf,
    /// The user database.
    pub passwd: Utf8PathBuf,
}

impl Machine {
    /// This process.
    ///
    /// # Errors
    /// When the current folder is gone or may not be entered.
    pub fn this() -> Result<Self, HostError> {
        Ok(Self {
            environment: std::env::vars_os().collect(),
            current_folder: std::env::current_dir().map_err(|source| HostError::CurrentFolder { source })?,
            proc: "/proc".into(),
            passwd: "/etc/passwd".into(),
        })
    }

    /// See [`base`].
    ///
    /// # Errors
    /// As [`base`].
    pub fn base(&self) -> Result<HostFacts, HostError> {
        let start = user::plain_folder("the current folder", self.current_folder.as_os_str())?;
        let user = user::user(&self.environment, &self.passwd)?;
        let folders = user::folders(&self.environment, user.home.as_deref(), &start)?;
        let environment = environment::facts(&self.environment);
        let project = project::project(&start, &user)?;
        let git_identity = git_config::identity(&self.git_config_files(user.home.as_deref())?);
        if value(&self.environment, "PATH").is_none() {
            return Err(HostError::NoSearchPath);
        }
        let mut facts = HostFacts {
            schema: FACTS_SCHEMA,
            now_ms: now_ms(),
            kernel: kernel::kernel(),
            user_namespaces: kernel::user_namespaces(&self.proc),
            bubblewrap: None,
            landlock_abi: coffer_sys::landlock::landlock_abi(),
            cgroups: cgroups::cgroups(&self.proc),
            terminals: kernel::terminals(),
            user,
            folders,
            coffer: self.own_program()?,
            project,
            git_identity,
            agent: None,
            other_agents: Vec::new(),
            environment,
            paths: BTreeMap::new(),
            settings: Vec::new(),
            login: None,
            account: None,
            mcp_servers: Vec::new(),
            tools: Vec::new(),
            keys: KeyFacts::default(),
            sockets: SocketFacts::default(),
            working_copy: None,
            deferred: None,
            engine: None,
        };
        facts.bubblewrap = bubblewrap::tool(&facts, cache::folder(&facts).as_deref());
        let runtime = user::xdg(&self.environment, "XDG_RUNTIME_DIR")?;
        let path = facts.public_value("PATH");
        facts.cgroups.user_manager = cgroups::user_manager(facts.user.uid, runtime.as_deref(), path);
        note_sources(&mut facts);
        Ok(facts)
    }

    /// The user's own git configuration, in the order in which git reads it.
    fn git_config_files(&self, home: Option<&Utf8Path>) -> Result<Vec<Utf8PathBuf>, HostError> {
        let folder = user::xdg(&self.environment, "XDG_CONFIG_HOME")?
            .or_else(|| home.map(|home| home.join(".config")));
        let mut files: Vec<Utf8PathBuf> =
            folder.into_iter().map(|folder| folder.join("git/config")).collect();
        files.extend(home.map(|home| home.join(".gitconfig")));
        Ok(files)
    }

    fn own_program(&self) -> Result<Utf8PathBuf, HostError> {
        let link = self.proc.join("self/exe");
        let failed = |source| HostError::OwnProgram { path: link.clone(), source };
        let path = std::fs::read_link(&link).map_err(failed)?;
        let path = user::plain_folder("the running program", path.as_os_str())?;
        match path.as_str().strip_suffix(" (deleted)") {
            Some(gone) if !path.exists() => Err(HostError::OwnProgramGone { path: gone.into() }),
            Some(_) | None => Ok(path),
        }
    }
}

/// The things that a plan mounts or runs without anybody asking: their device and inode numbers tell
/// whether they were exchanged between plan and start.
fn note_sources(facts: &mut HostFacts) {
    let mut sources = vec![facts.project.path.clone(), facts.project.path.join(".git"), facts.coffer.clone()];
    sources.extend(facts.user.home.clone());
    sources.extend(facts.bubblewrap.as_ref().map(|tool| tool.path.clone()));
    if let Some(git) = &facts.project.git {
        sources.extend([git.git_dir.clone(), git.common_dir.clone()]);
    }
    for source in sources {
        paths::note(facts, &source);
    }
}

/// The wall clock, Unix milliseconds; a clock before 1970 reads as 0.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
