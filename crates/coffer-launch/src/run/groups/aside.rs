//! Leaving our own group, so that it can hand on its controllers: in version 2 a group that does has no processes.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::plan::{Controller, Means};

use super::setting::HANDED_ON;
use super::{failed, write};
use crate::launch::Launch;
use crate::run::RunError;

/// The group into which we go.
const LAUNCHER: &str = "coffer-launcher";
const PROCESSES: &str = "cgroup.procs";

/// We are in a group below our own. Dropped, we are back in it, as it was.
#[derive(Debug)]
#[must_use = "dropped, we are where we were"]
pub struct Aside {
    own: Utf8PathBuf,
    enable: Vec<Controller>,
}

/// Steps aside where the limits of the launch want it. To be called before any other process is started.
///
/// # Errors
/// When the group cannot be made or entered.
pub fn step_aside(launch: &Launch) -> Result<Option<Aside>, RunError> {
    let Some(Means::V2 { folder, enable, step_aside: true }) = launch.means() else { return Ok(None) };
    let launcher = folder.join(LAUNCHER);
    match std::fs::create_dir(&launcher) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(failed("make", &launcher)(source));
        }
        Ok(()) | Err(_) => {}
    }
    enter(&launcher)?;
    Ok(Some(Aside { own: folder.clone(), enable: enable.clone() }))
}

fn enter(group: &Utf8Path) -> Result<(), RunError> {
    write(&group.join(PROCESSES), "0")
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What cannot be taken back stays: a group of our own, in which we are about to end.
        let words: Vec<String> = self.enable.iter().map(|controller| format!("-{controller}")).collect();
        let back = write(&self.own.join(HANDED_ON), &words.join(" ")).and_then(|()| enter(&self.own));
        if back.is_ok() {
            let _ = std::fs::remove_dir(self.own.join(LAUNCHER));
        }
    }
}
