//! The user's cache folder: what costs much to find out is kept there. A cache that is broken or cannot be written costs
//! the finding out, and nothing else.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::HostFacts;

/// Where it is; `None` where there is no home for it.
pub(crate) fn folder(facts: &HostFacts) -> Option<Utf8PathBuf> {
    let folder = match facts.public_value("XDG_CACHE_HOME") {
        Some(folder) if folder.starts_with('/') => Utf8PathBuf::from(folder),
        Some(_) | None => facts.user.home.as_ref()?.join(".cache"),
    };
    Some(folder.join("cofferdam"))
}

/// Puts the file in place by one rename, so that a concurrent start reads the old or the new one.
pub(crate) fn replace(file: &Utf8Path, text: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = folder.join(format!("{name}.{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut out| out.write_all(text))
        .and_then(|()| std::fs::rename(&temporary, file));
    if written.is_err() {
        // Not ours to report: what failed is the writing.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
