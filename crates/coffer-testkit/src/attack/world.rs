//! A machine of the test's own: network, mounts, processes, IPC and name are apart from the real one's. Its network has
//! nothing but loopback, on which the addresses lie that attacks try for; `/run`, `/dev/shm` and the folder of X11's
//! sockets are empty. Nothing that an attack does to any of these reaches the real machine, and everything that it
//! starts ends with it.
//!
//! Root stays root in it, so that sandboxes are made as for root. An ordinary user gets a user namespace to make all
//! this in, and below it another one in which it is who it was, without any right.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::{netns, require};

/// Addresses of the stage: a cloud's metadata service by both protocols, and another machine of the network.
pub(super) const METADATA_6: &str = "fd00:ec2::254";
/// Numbers of processes begin here, so that no number of a sandbox's own means one outside of it.
const FIRST_PID: &str = "20000";

/// `$1` is the hosts file, `$2` a folder for homes of its own or empty, `$3` the user and `$4` the group to become in a user
/// namespace below this one or empty; the rest is the command.
const SETUP: &str = "set -e
echo $FIRST_PID > /proc/sys/kernel/ns_last_pid || true
ip link set lo up
ip address add 169.254.169.254/32 dev lo
ip address add 10.213.0.1/24 dev lo
ip address add $METADATA_6/128 dev lo || true
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
mount --bind \"$1\" /etc/hosts
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=1777 none /dev/shm
[ ! -d /tmp/.X11-unix ] || mount -t tmpfs -o mode=1777 none /tmp/.X11-unix
mkdir /run/coffer-attack /run/coffer-attack/mount /run/dbus
chmod 1777 /run /run/coffer-attack /run/dbus
mount -t tmpfs none /run/coffer-attack/mount
[ -z \"$2\" ] || mount -t tmpfs -o mode=1777 none \"$2\"
user=$3
group=$4
shift 4
[ -n \"$user\" ] || exec \"$@\"
exec unshare --user --map-user=\"$user\" --map-group=\"$group\" \"$@\"";

const NAMESPACES: [&str; 8] =
    ["--net", "--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];

fn own() -> Option<std::fs::Metadata> {
    // It cannot fail where `/proc` is; where it is not, nothing of this works.
    std::fs::metadata("/proc/self").ok().filter(|own| own.uid() != 0)
}

fn flags() -> Vec<&'static str> {
    let mut flags = NAMESPACES.to_vec();
    if own().is_some() {
        flags.push("--map-root-user");
    }
    flags
}

/// Whether such a machine can be had here.
#[must_use]
pub fn available() -> bool {
    let mut words = flags();
    words.extend(["sh", "-c", "ip link set lo up && mount -t tmpfs none /run"]);
    require::succeeds("unshare", &words)
}

/// Runs a test again in such a machine, as [`netns::inside`] does in a network: true there; false outside, when it has
/// been run or was skipped (capability `attack-world`). It is the first process there: what it started and did not
/// wait for ends with it.
///
/// # Panics
/// When the test fails inside, or when namespaces are missing and required.
#[must_use]
pub fn inside(test: &str, hosts: &[&str]) -> bool {
    if netns::is_inside(test) {
        return true;
    }
    if require::capability("attack-world", available()) {
        netns::again(test, hosts, command);
    }
    false
}

/// A command that starts `program` in such a machine, with this hosts file; arguments are added to it as to any other.
#[must_use]
pub fn command(hosts: &Path, program: &OsStr) -> Command {
    command_with_homes(hosts, Path::new(""), program)
}

/// The same with an empty file system over a folder in which homes are made.
#[must_use]
pub fn command_with_homes(hosts: &Path, homes: &Path, program: &OsStr) -> Command {
    let setup = SETUP.replace("$FIRST_PID", FIRST_PID).replace("$METADATA_6", METADATA_6);
    let (uid, gid) =
        own().map_or_else(Default::default, |own| (own.uid().to_string(), own.gid().to_string()));
    let mut command = Command::new("unshare");
    command.args(flags()).args(["sh", "-c", &setup, "sh"]).arg(hosts).arg(homes);
    command.args([uid, gid]).arg(program);
    command
}
