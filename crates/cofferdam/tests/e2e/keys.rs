//! The user's agents for keys, behind their filters, with the genuine clients; each with the same done outside.

mod confirmed;
mod containers;
mod gnupg;
mod sign_in;
mod ssh;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::require;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ran, Stage, run};

/// A stage with an SSH agent of its own that has two keys.
pub(crate) struct SshStage {
    pub(crate) stage: Stage,
    socket: PathBuf,
    agent: Option<Pid>,
}

/// The words of every refusal by `ssh-add`.
const REFUSED: &str = "refused";

impl SshStage {
    /// `None` where OpenSSH's programs are not there.
    pub(crate) fn new() -> Option<Self> {
        let programs = ["ssh-agent", "ssh-add", "ssh-keygen"];
        if programs.iter().any(|program| require::program(program).is_none()) {
            return None;
        }
        let stage = Stage::new();
        let keys = stage.scratch.root().join("keys");
        std::fs::create_dir(&keys).unwrap();
        let socket = keys.join("agent");
        // It goes on in the background once it listens.
        let started = run(stage.command("ssh-agent").arg("-a").arg(&socket));
        started.ends_with(0);
        let pid = started.text();
        let pid = pid.split("SSH_AGENT_PID=").nth(1).and_then(|rest| rest.split(';').next());
        let agent = Pid::from_raw(pid.unwrap().parse().unwrap());
        let out = Self { stage, socket, agent };
        for name in ["granted", "other"] {
            let file = keys.join(name);
            run(out
                .stage
                .command("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(&file))
            .ends_with(0);
            run(out.outside("ssh-add").arg("-q").arg(&file)).ends_with(0);
            let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
            out.stage.project_file(&format!("{name}.pub"), &public);
        }
        Some(out)
    }

    /// A command on the host, with the agent.
    pub(crate) fn outside(&self, program: &str) -> Command {
        let mut command = self.stage.command(program);
        command.env("SSH_AUTH_SOCK", &self.socket);
        command
    }

    /// `coffer run` with these flags and this script inside, and the agent outside.
    pub(crate) fn run(&self, flags: &[&str], script: &str) -> Command {
        let mut command = self.stage.run(flags);
        command.args(["--", "sh", "-c", script]).env("SSH_AUTH_SOCK", &self.socket);
        command
    }

    pub(crate) fn inside(&self, flags: &[&str], script: &str) -> Ran {
        run(&mut self.run(flags, script))
    }

    /// The private part of a key.
    fn key(&self, name: &str) -> PathBuf {
        self.socket.with_file_name(name)
    }

    /// What the ledger says of keys: what was asked for, by which key, what came of it, how often.
    fn ledger(&self) -> Vec<(String, String, String, u64)> {
        of_keys(&self.stage)
    }
}

impl Drop for SshStage {
    fn drop(&mut self) {
        if let Some(agent) = self.agent {
            let _ = kill_process(agent, Signal::TERM);
        }
    }
}

fn of_keys(stage: &Stage) -> Vec<(String, String, String, u64)> {
    let shown = run(&mut stage.coffer(["ledger", "show", "--json"])).json();
    let lines = shown["entries"].as_array().unwrap_or_else(|| panic!("{shown}"));
    let of_keys = lines.iter().filter(|event| event["event"] == "key_used");
    of_keys
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (text("what"), text("key"), text("verdict"), event["times"].as_u64().unwrap())
        })
        .collect()
}

/// A program of the test's own.
fn program(path: &Path, script: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}
