//! What can go wrong when the machine is read, and what to do about it.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

/// Why the machine could not be read. What merely is odd (a broken settings file, a link loop) is a fact
/// and no error.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// `getcwd` failed.
    #[error("cannot tell the current folder")]
    CurrentFolder {
        /// The operating system's answer.
        source: io::Error,
    },
    /// A folder on which everything depends has a name that a plan cannot hold.
    #[error("{what} is {path}: not UTF-8, or with control characters in it")]
    FolderName {
        /// `the current folder`, or a variable's name in backticks.
        what: String,
        /// The path, escaped.
        path: String,
    },
    /// There is no PATH to look for programs on.
    #[error("`PATH` is not set")]
    NoSearchPath,
    /// `/proc/self/exe` could not be read.
    #[error("cannot tell which program is running (`{path}`)")]
    OwnProgram {
        /// The link that tells it.
        path: Utf8PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The running executable was replaced or removed.
    #[error("the running program was replaced or removed: `{path}`")]
    OwnProgramGone {
        /// Where it was.
        path: Utf8PathBuf,
    },
    /// The project folder could not be looked at.
    #[error("cannot look at the project folder `{path}`")]
    Project {
        /// The folder.
        path: Utf8PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A config file is there and could not be read.
    #[error("cannot read the config file `{path}`")]
    ConfigUnreadable {
        /// The file.
        path: Utf8PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Where a config file should be stands something else.
    #[error("the config file `{path}` is {what}")]
    ConfigNotFile {
        /// The file.
        path: Utf8PathBuf,
        /// What it is: `a folder`, `a named pipe` …
        what: &'static str,
    },
    /// A config file in the project is a link, or lies behind one.
    #[error("the project's config file `{path}` is a symbolic link")]
    ConfigLink {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A config file is larger than anybody writes one.
    #[error("the config file `{path}` is larger than {limit} bytes")]
    ConfigTooLarge {
        /// The file.
        path: Utf8PathBuf,
        /// The cap, in bytes.
        limit: usize,
    },
    /// A config file is no text.
    #[error("the config file `{path}` is not UTF-8 text (byte {at})")]
    ConfigNotText {
        /// The file.
        path: Utf8PathBuf,
        /// Offset of the first byte that is wrong.
        at: usize,
    },
    /// Facts could not be written out.
    #[error("cannot write the facts as JSON")]
    FactsUnsaved {
        /// The serializer's answer.
        source: serde_json::Error,
    },
    /// Saved facts are not what [`crate::save`] writes.
    #[error("`{name}` holds no facts")]
    FactsBroken {
        /// Where they came from.
        name: String,
        /// The parser's answer.
        source: serde_json::Error,
    },
    /// Saved facts of another format.
    #[error("`{name}` holds facts of format {found}; this program reads format {known}")]
    FactsSchema {
        /// Where they came from.
        name: String,
        /// Their format number.
        found: u64,
        /// Ours.
        known: u32,
    },
}

impl HostError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::CurrentFolder { .. } => {
                "change to a folder that exists and that you may enter: `cd ~`".to_owned()
            }
            Self::FolderName { what, .. } if what == "the current folder" => {
                "rename the folder, or start in another one".to_owned()
            }
            Self::FolderName { what, .. } => format!("set {what} to a plain path"),
            Self::NoSearchPath => "`export PATH=/usr/local/bin:/usr/bin:/bin`".to_owned(),
            Self::OwnProgram { .. } => "mount `/proc`: `mount -t proc proc /proc`".to_owned(),
            Self::OwnProgramGone { .. } => "type the command again: the new program will run".to_owned(),
            Self::Project { path, .. } => format!("see who may enter it: `ls -ld {}`", quoted(path)),
            Self::ConfigUnreadable { path, .. } => format!("see who may read it: `ls -l {}`", quoted(path)),
            Self::ConfigNotFile { path, .. } | Self::ConfigLink { path } => {
                format!("put a plain file there, or nothing: `ls -ld {}`", quoted(path))
            }
            Self::ConfigTooLarge { path, .. } => format!("see what is in it: `head -c 300 {}`", quoted(path)),
            Self::ConfigNotText { path, .. } => {
                format!("save it as UTF-8: `iconv -f LATIN1 -t UTF-8 {}`", quoted(path))
            }
            Self::FactsUnsaved { .. } => return None,
            Self::FactsBroken { .. } | Self::FactsSchema { .. } => {
                "save the facts anew with this program".to_owned()
            }
        };
        Some(hint)
    }
}

/// As one word for a shell.
fn quoted(path: &Utf8Path) -> String {
    format!("'{}'", path.as_str().replace('\'', r"'\''"))
}
