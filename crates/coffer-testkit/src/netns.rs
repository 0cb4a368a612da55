//! Runs a test again inside a network (and mount) namespace that has nothing but loopback.
//!
//! There genuine CLIs can be let loose: names of the given hosts point to 127.0.0.1, low ports are free, and no
//! packet leaves the machine. Root keeps its user namespace, so that mounts and bubblewrap behave as for root; an
//! ordinary user gets one in which it is root.

use std::env;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::require;

/// Set inside, to the name of the test.
const INSIDE: &str = "COFFER_TEST_NETNS";

/// `$1` is the hosts file, the rest the command.
const SETUP: &str = "set -e
ip link set lo up
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
mount --bind \"$1\" /etc/hosts
shift
exec \"$@\"";

/// True inside the namespace: go on with the test. False outside: the test has been run inside and passed, or was
/// skipped for want of namespaces (capability `netns`): return.
///
/// `test` is the calling test's full name, as `--exact` wants it; `hosts` are mapped to 127.0.0.1.
///
/// # Panics
/// When the test fails inside, or when namespaces are missing and required.
#[must_use]
pub fn inside(test: &str, hosts: &[&str]) -> bool {
    if is_inside(test) {
        return true;
    }
    if !require::capability("netns", available()) {
        return false;
    }
    again(test, hosts, command);
    false
}

/// Whether this is the test that was run again.
pub(crate) fn is_inside(test: &str) -> bool {
    env::var(INSIDE).is_ok_and(|name| name == test)
}

/// Runs the test again, by a command that is made for a hosts file and a program.
#[expect(clippy::panic, reason = "a failure inside is the failure of the test that calls this")]
pub(crate) fn again(test: &str, hosts: &[&str], command: impl FnOnce(&Path, &OsStr) -> Command) {
    match run(test, hosts, command) {
        Ok(true) => {}
        Ok(false) => panic!("`{test}` failed inside its namespaces; its output is above"),
        Err(error) => panic!("cannot run `{test}` inside namespaces: {error}"),
    }
}

fn flags() -> Vec<&'static str> {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut flags = vec!["--net", "--mount"];
    if !root {
        flags.push("--map-root-user");
    }
    flags
}

/// Whether such a namespace can be had here: `unshare` and `ip` are there, and the kernel lets us.
#[must_use]
pub fn available() -> bool {
    let mut args = flags();
    args.extend(["ip", "link", "set", "lo", "up"]);
    require::succeeds("unshare", &args)
}

/// A hosts file in which these names mean 127.0.0.1; anybody may read it, gone when dropped.
///
/// # Errors
/// When it cannot be written.
pub fn hosts_file(names: &[&str]) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    writeln!(file, "127.0.0.1 localhost {}\n::1 localhost", names.join(" "))?;
    // mkstemp's 0600 would hide it from an agent that runs as another user.
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    Ok(file)
}

/// A command that starts `program` in a namespace with nothing but loopback and with this hosts file; arguments
/// are added to it as to any other.
#[must_use]
pub fn command(hosts: &Path, program: &OsStr) -> Command {
    let mut command = Command::new("unshare");
    command.args(flags()).args(["sh", "-c", SETUP, "sh"]).arg(hosts).arg(program);
    command
}

fn run(test: &str, hosts: &[&str], command: impl FnOnce(&Path, &OsStr) -> Command) -> std::io::Result<bool> {
    let file = hosts_file(hosts)?;
    let status = command(file.path(), env::current_exe()?.as_os_str())
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(INSIDE, test)
        .status()?;
    Ok(status.success())
}
