//! How the ways to bind a login into a sandbox end: one session on an expired login inside, then one on the host.

use std::path::{Path, PathBuf};

use coffer_testkit::{LoginSpec, Scratch};
use serde_json::json;

use super::practice::{Client, FILE, FOLDER, alone, private_folder, scratch, write};
use super::table::{Row, Table};
use super::{Lab, failed};
use crate::error::Error;

/// A way to bind the host's login into a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The folder, read-write.
    Folder,
    /// The folder, read-only.
    FolderReadOnly,
    /// The single file, read-write.
    File,
    /// The single file, read-only.
    FileReadOnly,
    /// A link in the sandbox's home to the host's file.
    Link,
    /// A copy of the file.
    Copy,
    /// The single file, read-write, of another user and open to all.
    Foreign,
}

const WAYS: [(&str, Way); 7] = [
    ("folder, read-write", Way::Folder),
    ("folder, read-only", Way::FolderReadOnly),
    ("single file, read-write", Way::File),
    ("single file, read-only", Way::FileReadOnly),
    ("symbolic link to the file", Way::Link),
    ("copy of the file", Way::Copy),
    ("file of another user, 0644, read-write", Way::Foreign),
];

pub(crate) fn table(lab: &Lab<'_>) -> Result<Table, Error> {
    let bar = lab.progress(WAYS.len() * lab.clients.len(), "mounts");
    let mut rows = Vec::new();
    for client in &lab.clients {
        for (name, way) in WAYS {
            rows.push(row(lab, client, name, way)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Table {
        name: "mounts",
        about: "The host's login has expired. A session in a sandbox gets it in one of these ways; afterwards a session on the host \
                uses the host's own file, with the first access token ended. `burned` means: the host's refresh token is dead."
            .to_owned(),
        columns: &[
            "version", "how", "inside good", "token requests", "saved on the host", "burned", "host good after it", "wiped",
        ],
        rows,
    })
}

fn row(lab: &Lab<'_>, client: &Client, name: &str, way: Way) -> Result<Row, Error> {
    if way == Way::Foreign && !rustix::process::geteuid().is_root() {
        let skipped = json!("skipped: needs root");
        let mut cells = vec![json!(client.version), json!(name), skipped];
        cells.resize(8, json!(null));
        return Ok(Row::shown(cells));
    }
    let scratch = scratch()?;
    let host = scratch.home().join(FOLDER);
    let login = lab.practice.sign_in(&host, &LoginSpec::expired())?;
    let before = lab.practice.worth(&host.join(FILE));
    let mark = lab.practice.mark();
    let home = scratch.root().join("inside");
    private_folder(&home)?;
    let binds = binds(&scratch, &home, way)?;
    let inside = alone(lab.practice.sandboxed(&scratch, client, &home, &binds))?;
    let tokens = lab.practice.token_requests(mark).len();
    let after = lab.practice.worth(&host.join(FILE));
    lab.practice.api.expire(&login.access_token);
    let outside = alone(lab.practice.session(&scratch, client, &scratch.home()))?;
    Ok(Row::shown(vec![
        json!(client.version),
        json!(name),
        json!(inside.good),
        json!(tokens),
        json!(after.access != before.access && after.alive),
        json!(!after.alive),
        json!(outside.good),
        json!(lab.practice.worth(&host.join(FILE)).wiped),
    ]))
}

/// Prepares the sandbox's home, and says what is bound into it.
fn binds(scratch: &Scratch, home: &Path, way: Way) -> Result<Vec<(PathBuf, PathBuf, bool)>, Error> {
    let host = scratch.home().join(FOLDER);
    let folder = home.join(FOLDER);
    private_folder(&folder)?;
    let (from, to) = (host.join(FILE), folder.join(FILE));
    Ok(match way {
        Way::Folder => vec![(host, folder, true)],
        Way::FolderReadOnly => vec![(host, folder, false)],
        Way::File | Way::FileReadOnly => {
            write(&to, "")?;
            vec![(from, to, way == Way::File)]
        }
        Way::Link => {
            std::os::unix::fs::symlink(&from, &to).map_err(failed("making a link"))?;
            Vec::new()
        }
        Way::Copy => {
            std::fs::copy(&from, &to).map_err(failed("copying the login"))?;
            Vec::new()
        }
        Way::Foreign => {
            use std::os::unix::fs::PermissionsExt as _;
            write(&to, "")?;
            std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o644))
                .and_then(|()| std::os::unix::fs::chown(&from, Some(12_345), Some(12_345)))
                .map_err(failed("giving the login to another user"))?;
            vec![(from, to, true)]
        }
    })
}
