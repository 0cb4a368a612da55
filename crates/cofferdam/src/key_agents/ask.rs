//! Asks a person before a key is used, by the program that `ssh` asks with. The terminal is the agent's meanwhile.

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::gateway::ended;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After a no, nobody is asked for so long: a sandbox must not wear a person down.
const RESPITE: Duration = Duration::from_secs(5);

/// Asks one question at a time.
pub(super) struct Asker {
    program: Utf8PathBuf,
    /// When a person said no last.
    refused: Mutex<Option<Instant>>,
}

impl Asker {
    pub(super) fn new(program: Utf8PathBuf) -> Self {
        Self { program, refused: Mutex::new(None) }
    }

    /// Whether a person says yes.
    pub(super) fn agrees(&self, question: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.is_some_and(|at| at.elapsed() < RESPITE) {
            return false;
        }
        let agrees = self.ask(question);
        *refused = (!agrees).then(Instant::now);
        agrees
    }

    fn ask(&self, question: &str) -> bool {
        let mut command = Command::new(&self.program);
        // As `ssh-agent` itself does it; in the project an agent could lay something in its way.
        command.arg(question).env("SSH_ASKPASS_PROMPT", "confirm").current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else { return false };
        if !ended(&child, PATIENCE) {
            let _ = child.kill();
        }
        child.wait().is_ok_and(|status| status.success())
    }
}
