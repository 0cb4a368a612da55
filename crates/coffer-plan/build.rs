//! Embeds the data files: an agent or a profile is one file in its folder, and no line of code.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a build script reads files and speaks to cargo; the crate does not"
)]

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::var("CARGO_MANIFEST_DIR")?;
    let mut code = String::new();
    for (folder, table) in [
        ("agents", "AGENTS"),
        ("profiles", "PROFILES"),
        ("tools", "TOOLS"),
        ("deferred", "DEFERRED"),
        ("images", "IMAGES"),
    ] {
        let folder = Path::new(&root).join(folder);
        let mut files = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        writeln!(code, "pub(crate) static {table}: &[(&str, &str)] = &[")?;
        for file in files {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name =
                    path.file_stem().and_then(|stem| stem.to_str()).ok_or("a data file's name is no text")?;
                writeln!(code, "    ({name:?}, include_str!({path:?})),")?;
            }
        }
        writeln!(code, "];")?;
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("data.rs"), code)?;
    Ok(())
}
