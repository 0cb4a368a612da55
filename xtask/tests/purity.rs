//! The bans of coffer-plan's clippy.toml really stop what they name: each line below is clean under the workspace's
//! own clippy.toml, and refused under coffer-plan's.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One line per thing that a pure crate must not do.
const IMPURE: &[&str] = &[
    r#"pub fn reads_a_file() -> bool { std::fs::read("x").is_ok() }"#,
    r#"pub fn opens_a_file() -> bool { std::fs::File::open("x").is_ok() }"#,
    r#"pub fn asks_the_disc(path: &std::path::Path) -> bool { path.exists() }"#,
    r#"pub fn reads_the_environment() -> bool { std::env::var_os("x").is_some() }"#,
    r#"pub fn asks_the_wall_clock() -> std::time::SystemTime { std::time::SystemTime::now() }"#,
    r#"pub fn asks_the_clock() -> std::time::Instant { std::time::Instant::now() }"#,
    r#"pub fn starts_a_process() -> bool { std::process::Command::new("x").status().is_ok() }"#,
    r#"pub fn speaks_to_the_network() -> bool { std::net::TcpStream::connect("127.0.0.1:1").is_ok() }"#,
    r#"pub fn speaks_to_a_socket() -> bool { std::os::unix::net::UnixStream::connect("x").is_ok() }"#,
];

const MANIFEST: &str = r#"[package]
name = "impure"
version = "0.0.0"
edition = "2024"

[lints.clippy]
disallowed_macros = "deny"
disallowed_methods = "deny"
disallowed_types = "deny"

[workspace]
"#;

/// Lints a crate that does all of it; returns whether it passed, and what was said.
fn lint(clippy_toml: &Path) -> std::io::Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("src"))?;
    std::fs::write(folder.path().join("Cargo.toml"), MANIFEST)?;
    std::fs::write(folder.path().join("src/lib.rs"), IMPURE.join("\n"))?;
    std::fs::copy(clippy_toml, folder.path().join("clippy.toml"))?;
    let output = Command::new("cargo")
        .args(["clippy", "--quiet", "--offline"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn in_workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn coffer_plan_cannot_touch_the_machine() -> std::io::Result<()> {
    let (passed, said) = lint(&in_workspace("clippy.toml"))?;
    assert!(passed, "the lines are no fault elsewhere, and yet: {said}");

    let (passed, said) = lint(&in_workspace("crates/coffer-plan/clippy.toml"))?;
    assert!(!passed);
    for number in 1..=IMPURE.len() {
        assert!(said.contains(&format!("src/lib.rs:{number}:")), "line {number} was let through: {said}");
    }
    Ok(())
}
