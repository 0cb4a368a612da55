//! What the ledger says, and waiting until it says something.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::watch::LoginWatch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::Stage;

/// The ledger of a stage, watched from before the first event.
pub(crate) struct Record {
    file: Utf8PathBuf,
    watch: LoginWatch,
}

impl Record {
    pub(crate) fn of(stage: &Stage) -> Self {
        let folder = Utf8PathBuf::from_path_buf(stage.data().join("ledger")).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        for path in folder.ancestors().take(2) {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        }
        let file = folder.join("ledger.jsonl");
        Self { watch: LoginWatch::new(Utf8Path::new(&file)).unwrap(), file }
    }

    /// All events with this word.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }

    /// Waits until there are this many events with this word.
    pub(crate) fn waits_for(&mut self, event: &str, count: usize) -> Vec<Value> {
        loop {
            let found = self.events(event);
            if found.len() >= count {
                return found;
            }
            // Only a test that hangs ever gets there.
            let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
            let ready = poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], Some(&patience)).unwrap();
            assert!(
                ready > 0,
                "no {count} × {event}: {}",
                std::fs::read_to_string(&self.file).unwrap_or_default()
            );
            self.watch.changed().unwrap();
        }
    }
}
