//! What a test needs of the machine, and how a skip is counted.
//!
//! A capability that is not there makes a test return early with its reason on stderr. `COFFER_TEST_REQUIRE` names
//! capabilities (comma-separated, or `all`) whose absence is a failure instead; `COFFER_TEST_SKIP_LOG` names a file
//! that gets a line per skip, so that a runner can count them.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Returns `found`; if it is false, says that the test skips, or fails it when the capability is required.
///
/// # Panics
/// When the capability is missing and `COFFER_TEST_REQUIRE` lists it or `all`.
#[must_use]
pub fn capability(name: &str, found: bool) -> bool {
    if !found {
        skip(name, "not there");
    }
    found
}

/// Says that the current test skips for want of `name`; see [`skip!`](crate::skip).
///
/// # Panics
/// When `COFFER_TEST_REQUIRE` lists the capability or `all`.
#[expect(clippy::panic, reason = "a skip that is forbidden must fail the test that calls it")]
pub fn skip(name: &str, reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed test");
    if requires(&env::var("COFFER_TEST_REQUIRE").unwrap_or_default(), name) {
        panic!("`{test}` needs `{name}` ({reason}), and `COFFER_TEST_REQUIRE` forbids skipping");
    }
    let line = format!("skipped: {test}: {name}: {reason}\n");
    // A lost line is worth no failure: the runner's own summary still shows the test.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("COFFER_TEST_SKIP_LOG")
        && let Ok(mut log) = OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = log.write_all(line.as_bytes());
    }
}

/// Whether the list of required capabilities holds this one.
fn requires(list: &str, name: &str) -> bool {
    list.split(',').map(str::trim).any(|item| item == name || item == "all")
}

/// Skips the current test: `skip!("bwrap", "no user namespaces: {error}")`.
#[macro_export]
macro_rules! skip {
    ($capability:expr, $($reason:tt)+) => {{
        $crate::require::skip($capability, &format!($($reason)+));
        return;
    }};
}

/// The genuine Claude Code CLI, native build: `COFFER_TEST_CLAUDE_NATIVE`, capability `claude`.
#[must_use]
pub fn claude_native() -> Option<PathBuf> {
    from_env("claude", "COFFER_TEST_CLAUDE_NATIVE")
}

/// The genuine Claude Code CLI, `cli.js` build: `COFFER_TEST_CLAUDE_JS`, capability `claude`.
#[must_use]
pub fn claude_js() -> Option<PathBuf> {
    from_env("claude", "COFFER_TEST_CLAUDE_JS")
}

/// The other vendor's agent CLI: `COFFER_TEST_AGENT2`, capability `agent2`.
#[must_use]
pub fn agent2() -> Option<PathBuf> {
    from_env("agent2", "COFFER_TEST_AGENT2")
}

/// The reference program for development containers: `COFFER_TEST_DEVCONTAINERS`, capability `devcontainers`.
#[must_use]
pub fn devcontainers() -> Option<PathBuf> {
    from_env("devcontainers", "COFFER_TEST_DEVCONTAINERS")
}

/// The root file system of the tests' images: `COFFER_TEST_ROOTFS`, capability `rootfs`.
#[must_use]
pub fn rootfs() -> Option<PathBuf> {
    from_env("rootfs", "COFFER_TEST_ROOTFS")
}

/// A file that a variable names. One that names none is an error of the set-up.
fn from_env(capability: &str, variable: &str) -> Option<PathBuf> {
    let Some(path) = env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) else {
        skip(capability, &format!("`{variable}` is not set"));
        return None;
    };
    if path.is_file() {
        return Some(path);
    }
    skip(capability, &format!("`{variable}` names `{}`, which is no file", path.display()));
    None
}

/// Looks a program up on `PATH`, capability by its name.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(name, "not on `PATH`");
    }
    found
}

/// Bubblewrap, capability `bwrap`.
#[must_use]
pub fn bwrap() -> Option<PathBuf> {
    program("bwrap")
}

/// Whether an own user namespace can be had, capability `userns`.
#[must_use]
pub fn userns() -> bool {
    capability("userns", succeeds("unshare", &["--user", "--map-root-user", "true"]))
}

/// Whether we are root, capability `root`.
#[must_use]
pub fn root() -> bool {
    let own = std::fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    capability("root", own.is_ok_and(|uid| uid == 0))
}

/// Whether a nightly toolchain is there, capability `nightly`.
#[must_use]
pub fn nightly() -> bool {
    capability("nightly", succeeds("rustc", &["+nightly", "--version"]))
}

/// Whether a command ends well; its output is of no interest.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests;
