//! Where an engine keeps a volume.

use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::HostFacts;

use crate::cli::Engine as Named;
use crate::commands::image::{Engine, ImageError};
use crate::error::Error;

/// The folder of a volume, if we may look into it.
pub(super) fn folder(name: &str, named: Option<Named>, facts: &mut HostFacts) -> Result<Utf8PathBuf, Error> {
    let engine = Engine::find(facts, named, "")?;
    let mut ask = engine.command();
    // A name that begins with a dash would be an option of the engine's, but for the `--`.
    ask.args(["volume", "inspect", "--format", "{{.Mountpoint}}", "--", name]).stdin(Stdio::null());
    let output = ask.output().map_err(|source| engine.failed(source))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !path.starts_with('/') {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(ImageError::NoVolume { kind: engine.kind, name: name.to_owned(), said }.into());
    }
    let path = Utf8PathBuf::from(path);
    match Utf8Path::new(&path).read_dir_utf8() {
        Ok(_) => Ok(path),
        Err(source) => {
            Err(ImageError::VolumeClosed { kind: engine.kind, name: name.to_owned(), path, source }.into())
        }
    }
}
