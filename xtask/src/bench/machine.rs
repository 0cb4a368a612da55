//! What the figures were taken on.

use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Names and values for the top of the page.
pub(super) fn describe(coffer: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(vec![
        ("date", output(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?),
        ("processor", format!("{}, {cores} cores", field("/proc/cpuinfo", "model name", ':')?)),
        ("memory", field("/proc/meminfo", "MemTotal", ':')?),
        ("kernel", read("/proc/sys/kernel/osrelease")?),
        ("system", field("/etc/os-release", "PRETTY_NAME", '=')?.trim_matches('"').to_owned()),
        ("bubblewrap", output(Command::new("bwrap").arg("--version"))?),
        ("coffer", output(Command::new(coffer).arg("--version"))?),
        ("revision", output(Command::new("git").args(["describe", "--always", "--dirty"]))?),
    ])
}

/// The size of a file in MiB.
pub(super) fn size_mib(path: &Path) -> Result<f64, Error> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    #[expect(clippy::cast_precision_loss, reason = "the size of an executable fits a double exactly")]
    let bytes = metadata.len() as f64;
    Ok(bytes / (1024.0 * 1024.0))
}

fn read(path: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
    Ok(text.trim().to_owned())
}

/// The first value of that name; some processors have no model name.
fn field(path: &str, name: &str, sign: char) -> Result<String, Error> {
    let text = read(path)?;
    let mut lines = text.lines().filter_map(|line| line.split_once(sign));
    let found = lines.find(|(key, _)| key.trim() == name);
    Ok(found.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned()))
}

fn output(command: &mut Command) -> Result<String, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| Error::Start { command: name, source })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
