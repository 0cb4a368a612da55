//! A folder as a value, to see whether anything in it changed.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Every path below a folder: its mode and owner, and a file's hash or a link's end.
pub(crate) type Tree = BTreeMap<PathBuf, String>;

/// Everything below `root`, except what is at or below `apart`.
pub(crate) fn tree(root: &Path, apart: &[PathBuf]) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if apart.contains(&path) {
                continue;
            }
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_file() {
                format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap()))
            } else if meta.is_symlink() {
                format!("{:?}", std::fs::read_link(&path).unwrap())
            } else {
                String::new()
            };
            if meta.is_dir() {
                left.push(path.clone());
            }
            found.insert(path, format!("{:o} {}:{} {content}", meta.mode(), meta.uid(), meta.gid()));
        }
    }
    found
}

/// All files below a folder that hold these bytes.
pub(crate) fn files_with(root: &Path, bytes: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() {
                let content = std::fs::read(&path).unwrap();
                if content.windows(bytes.len()).any(|window| window == bytes.as_bytes()) {
                    found.push(path);
                }
            }
        }
    }
    found
}
