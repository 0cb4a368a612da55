//! Namespaces, mounts, keyrings, system calls, switches, devices, IPC.

use coffer_sys::attempts::{Call, Namespace};

use super::Deed::{Call as Calls, Do, Open, OpenToWrite};
use super::{Attack, rows};
use crate::attack::deeds::mounts::unshares;
use crate::attack::deeds::{ipc, mounts};

pub(super) const ATTACKS: &[Attack] = rows! {
    "new-user-namespace" Namespaces Never: Do(|_| unshares(&[Namespace::User])), "a user namespace, in which one is root";
    "new-mount-namespace" Namespaces Never: Do(|_| unshares(&[Namespace::User, Namespace::Mount])), "a mount namespace";
    "new-network-namespace" Namespaces Never: Do(|_| unshares(&[Namespace::User, Namespace::Network])), "a network namespace with all its protocols";
    "new-process-namespace" Namespaces Never: Do(|_| unshares(&[Namespace::User, Namespace::Process])), "a process namespace";
    "become-root" Namespaces Never: Do(mounts::become_root), "being root by a map of one's own";
    "own-network-device" Namespaces Never: Do(mounts::own_network_device), "raw sockets in a network namespace of one's own";

    "mount-memory" Mounts Never: Do(mounts::tmpfs), "a new file system over a folder";
    "mount-processes" Mounts Never: Do(mounts::proc), "a new `/proc` without its masks";
    "bind-folder" Mounts Never: Do(mounts::bind), "a folder shown at another place";
    "make-writable" Mounts Never: Do(mounts::remount), "a read-only folder made writable";
    "unmount" Mounts Never: Do(mounts::unmount), "taking away what covers `/proc/sys` or a folder";
    "new-mount-calls" Mounts Never: Do(mounts::fsopen_calls), "a file system by the newer system calls";
    "clone-tree" Mounts Never: Do(mounts::clone_tree), "a copy of a mount by the newer system calls";
    "change-root" Mounts Never: Do(mounts::chroot), "another root folder";
    "overlay" Mounts Never: Do(mounts::overlay), "an overlay over a folder of the system";

    "find-user-key" Keyrings Never: Do(ipc::find_key), "a key in the user's keyring, by its name";
    "read-user-key" Keyrings Never: Do(ipc::read_key), "the same by its number";
    "add-user-key" Keyrings Never: Do(ipc::add_key), "a key of one's own in the user's keyring";
    "list-keys" Keyrings Never: Do(ipc::list_keys), "the list of keys";

    "ebpf-map" Kernel Never: Calls(Call::BpfMap), "a map of eBPF";
    "ebpf-program" Kernel Never: Calls(Call::BpfProgram), "a program of eBPF";
    "performance-events" Kernel Never: Calls(Call::PerfEvent), "performance counters";
    "user-faults" Kernel Never: Calls(Call::UserFault), "holding up the kernel at a page of memory";
    "io-uring" Kernel Never: Calls(Call::IoUring), "a queue of system calls that no filter sees";
    "kexec" Kernel Never: Calls(Call::Kexec), "another kernel";
    "kexec-file" Kernel Never: Calls(Call::KexecFile), "another kernel from a file";
    "load-module" Kernel Never: Do(mounts::load_module), "a module of the kernel";
    "unload-module" Kernel Never: Do(mounts::unload_module), "taking a module away";
    "reboot" Kernel Never: Calls(Call::Reboot), "a restart (without the magic numbers)";
    "set-clock" Kernel Never: Calls(Call::Clock), "the clock (to something that it refuses)";
    "swap" Kernel Never: Calls(Call::Swap), "swap space (a file that is not there)";
    "accounting" Kernel Never: Calls(Call::Accounting), "accounting of processes (to a file that is not there)";
    "kernel-log" Kernel Never: Calls(Call::KernelLog), "the kernel's log";
    "hold-up-files" Kernel Never: Calls(Call::Fanotify), "deciding about file accesses of others";
    "io-ports" Kernel Never: Calls(Call::IoPorts), "the machine's I/O ports";
    "x32-call" Kernel Never: Calls(Call::X32), "a system call by the x32 table";
    "x32-user-namespace" Kernel Never: Calls(Call::X32Users), "a user namespace by the x32 table";
    "i386-call" Kernel Never: Calls(Call::I386), "a system call by `int 0x80`, whose numbers are those of i386";
    "i386-user-namespace" Kernel Never: Calls(Call::I386Users), "a user namespace by `int 0x80`";
    "host-name" Kernel Never: Do(mounts::host_name), "the machine's name";

    "core-pattern" Devices Never: OpenToWrite("/proc/sys/kernel/core_pattern"), "the program that the kernel starts after a crash";
    "module-helper" Devices Never: OpenToWrite("/proc/sys/kernel/modprobe"), "the program that the kernel starts for a module";
    "panic-switch" Devices Never: OpenToWrite("/proc/sys/kernel/panic"), "what the kernel does when it fails";
    "memory-switch" Devices Never: OpenToWrite("/proc/sys/vm/overcommit_memory"), "how the kernel gives memory";
    "magic-key" Devices Never: OpenToWrite("/proc/sysrq-trigger"), "the magic key";
    "device-helper" Devices Never: OpenToWrite("/sys/kernel/uevent_helper"), "the program that the kernel starts for a device";
    "binary-formats" Devices Never: OpenToWrite("/proc/sys/fs/binfmt_misc/register"), "which program runs a file";
    "cgroup-release" Devices Never: OpenToWrite("/sys/fs/cgroup/release_agent"), "the program that the kernel starts for an empty cgroup";
    "cgroup-limits" Devices Never: Do(mounts::cgroup), "one's own limits";
    "physical-memory" Devices Never: Open("/dev/mem"), "the machine's memory";
    "kernel-memory" Devices Never: Open("/proc/kcore"), "the kernel's memory";
    "kernel-messages" Devices Never: Open("/dev/kmsg"), "the kernel's log by its device";
    "block-device" Devices Never: Do(mounts::block_device), "a disk";
    "make-device" Devices Never: Do(mounts::make_device), "a device of one's own making";
    "virtual-machine" Devices Never: Open("/dev/kvm"), "virtual machines";
    "file-systems-in-userland" Devices Never: Open("/dev/fuse"), "a file system of one's own making";
    "tunnel-device" Devices Never: Open("/dev/net/tun"), "a network device of one's own making";
    "input-device" Devices Never: Open("/dev/uinput"), "keys that nobody pressed";
    "random-pool" Devices Never: OpenToWrite("/proc/sys/kernel/random/write_wakeup_threshold"), "how much the kernel believes random numbers";

    "shared-segment" Ipc Never: Do(ipc::segment), "shared memory of System V";
    "message-queue" Ipc Never: Do(ipc::message_queue), "a message queue of System V";
    "semaphores" Ipc Never: Do(ipc::semaphores), "semaphores of System V";
    "posix-queue" Ipc Never: Do(ipc::posix_queue), "a message queue of POSIX";
    "list-segments" Ipc Never: Do(ipc::list_segments), "the list of shared memory";
};
