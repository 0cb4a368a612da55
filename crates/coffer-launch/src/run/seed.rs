//! Merges JSON into a file of the state: what is there stays, what is missing is added, and nothing is
//! written when nothing is missing.

use serde_json::{Map, Value};

use super::RunError;
use super::beneath::Folder;

/// Merges the object `seed` into `file`.
pub(super) fn merge(folder: &Folder, file: &str, seed: &[u8]) -> Result<(), RunError> {
    let not_json = || RunError::StateNotJson { path: folder.path().join(file) };
    let Ok(Value::Object(seed)) = serde_json::from_slice(seed) else {
        return Err(RunError::Tampered {
            path: folder.path().join(file),
            reason: "its seed is no JSON object",
        });
    };
    let mut content = match folder.read(file)? {
        None => Map::new(),
        // An empty file is what a mount point leaves.
        Some(bytes) if bytes.is_empty() => Map::new(),
        Some(bytes) => match serde_json::from_slice(&bytes) {
            Ok(Value::Object(content)) => content,
            Ok(_) | Err(_) => return Err(not_json()),
        },
    };
    if !add_missing(&mut content, seed) {
        return Ok(());
    }
    let text = serde_json::to_vec_pretty(&Value::Object(content)).map_err(|_| not_json())?;
    folder.replace(file, &text)
}

/// Whether anything was missing.
pub(super) fn add_missing(content: &mut Map<String, Value>, seed: Map<String, Value>) -> bool {
    let mut changed = false;
    for (key, wanted) in seed {
        match (content.get_mut(&key), wanted) {
            (None, wanted) => {
                content.insert(key, wanted);
                changed = true;
            }
            (Some(Value::Object(there)), Value::Object(wanted)) => changed |= add_missing(there, wanted),
            (Some(_), _) => {}
        }
    }
    changed
}
