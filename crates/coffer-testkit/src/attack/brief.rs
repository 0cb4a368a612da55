//! What the stage tells the probe: where everything lies that it may try for. It crosses as one word of JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where everything is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Brief {
    /// The word that stands in every canary; made anew for each test.
    pub canary: String,
    /// The home folder.
    pub home: PathBuf,
    /// The project.
    pub project: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: PathBuf,
    /// The folder of the stage, below the machine's folder for temporary files.
    pub stage: PathBuf,
    /// Where a lease lies for the probe: outside a folder that stands for it.
    pub lease: PathBuf,
    /// Another process of the user's.
    pub process: Process,
    /// What stands for the first process of a sandbox: outside the other process.
    pub first: i32,
    /// The program that the sandbox is made by, or the probe itself outside.
    pub program: PathBuf,
    /// Open descriptors that the stage left to whoever starts the probe: a file, a folder and a socket.
    pub descriptors: Vec<i32>,
    /// The terminal from which it is started: its file system and its device.
    pub terminal: Option<(u64, u64)>,
    /// The terminal's path.
    pub terminal_path: Option<PathBuf>,
    /// Listens on the loopback, by TCP.
    pub port: u16,
    /// Listens on the loopback, by UDP.
    pub udp_port: u16,
    /// The name of an abstract socket.
    pub abstract_name: String,
    /// A key in the user's keyring: its number and its name.
    pub key: Option<(i32, String)>,
    /// The key of the segment, queue and semaphore.
    pub ipc: i32,
    /// The handle of a canary file.
    pub handle: Option<Vec<u8>>,
    /// Files of the machine's system, by device and inode number.
    pub system: BTreeMap<PathBuf, (u64, u64)>,
    /// Files and sockets of another live run.
    pub neighbour: Vec<PathBuf>,
    /// The limits that are known to be set.
    pub limits: Limits,
}

/// Another process of the user's, which holds a canary in its environment, its memory and an open file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number in the machine of the stage.
    pub pid: i32,
    /// Where the canary lies in its memory.
    pub address: usize,
    /// Its open canary file.
    pub descriptor: i32,
}

/// Limits without which a sandbox is not to be exhausted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processes.
    pub pids: Option<u64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

impl Brief {
    /// A path of the table, with what its words in `${}` stand for.
    #[must_use]
    pub fn path(&self, template: &str) -> PathBuf {
        let words = [
            ("${home}", &self.home),
            ("${project}", &self.project),
            ("${runtime}", &self.runtime),
            ("${stage}", &self.stage),
            ("${lease}", &self.lease),
            ("${program}", &self.program),
        ];
        let start = template.replace("${canary}", &self.canary);
        words.iter().fold(start, |text, (word, path)| text.replace(word, &path.to_string_lossy())).into()
    }

    /// What an attack leaves where it can write.
    #[must_use]
    pub fn mark(&self, attack: &str) -> String {
        format!("# {} {attack}\n", self.canary)
    }
}
