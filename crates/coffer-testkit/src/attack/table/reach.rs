//! Processes, variables, descriptors, terminals, sockets, the network.

use super::Deed::{Connect, Do, Tcp};
use super::{Attack, rows};
use crate::attack::deeds::{network, processes, terminals};

pub(super) const ATTACKS: &[Attack] = rows! {
    "see-process" Processes Never: Do(processes::see), "the command line of a process of the host";
    "signal-process" Processes Never: Do(processes::signal), "a signal to a process of the host";
    "signal-by-descriptor" Processes Never: Do(processes::signal_by_descriptor), "the same by a descriptor of the process";
    "trace-process" Processes Never: Do(processes::trace), "tracing a process of the host";
    "read-process-memory" Processes Never: Do(processes::read_memory), "memory of a process of the host, by a system call";
    "read-process-memory-file" Processes Never: Do(processes::read_memory_file), "the same by `/proc`";
    "take-process-descriptor" Processes Never: Do(processes::take_descriptor), "an open file of a process of the host";
    "compare-process" Processes Never: Do(processes::compare), "whether memory is shared with a process of the host";
    "slow-process-down" Processes Never: Do(processes::slow_down), "the priority of a process of the host";
    "limit-process" Processes Never: Do(processes::limit), "the limits of a process of the host";
    "enter-process-namespace" Processes Never: Do(processes::enter_namespaces), "the namespaces of a process of the host";
    "trace-first-process" Processes Never: Do(processes::trace_first), "tracing the first process of the sandbox";
    "read-first-environment" Processes Never: Do(processes::first_environment), "the environment of the first process";
    "read-first-memory" Processes Never: Do(processes::first_memory), "the memory of the first process";
    "take-first-descriptors" Processes Never: Do(processes::first_descriptors), "open files of the first process: the line to the host";

    "read-cloud-variable" Environment Never: Do(processes::cloud_variable), "the key of a cloud in a variable";
    "read-any-variable" Environment Never: Do(processes::any_variable), "a variable of which nobody knows that it is secret";
    "read-others-environment" Environment Never: Do(processes::others_environment), "the environment of any process in sight, of the launcher, too";
    "learn-agent-socket" Environment Never: Do(processes::agent_socket_variable), "where the agent for SSH keys listens";
    "learn-session-bus" Environment Never: Do(processes::session_bus_variable), "where the bus of the session listens";

    "use-inherited-file" Descriptors Never: Do(processes::inherited_file), "a file that was left open";
    "use-inherited-folder" Descriptors Never: Do(processes::inherited_folder), "a folder that was left open, and what lies around it";
    "use-inherited-socket" Descriptors Never: Do(processes::inherited_socket), "a connection that was left open";

    "type-into-terminal" Terminals Never: Do(terminals::type_into), "a character into the input of the user's terminal";
    "type-into-terminal-high-bits" Terminals Never: Do(terminals::type_into_high), "the same, past a filter that compares 64 bits";
    "paste-on-console" Terminals Never: Do(terminals::console), "a console's clipboard";
    "open-terminal-by-name" Terminals Never: Do(terminals::by_name), "the user's terminal by its path";
    "be-on-users-terminal" Terminals Never: Do(terminals::same), "the user's terminal as one's own";

    "named-socket-in-stage" Sockets Never: Connect("${stage}/socket"), "a socket in the folder for temporary files";
    "ssh-agent" Sockets Never: Connect("${stage}/${canary}/ssh-agent"), "the agent for SSH keys";
    "gpg-agent" Sockets Never: Connect("${home}/.gnupg/S.gpg-agent"), "the agent for GnuPG keys";
    "wayland" Sockets Never: Connect("${runtime}/wayland-0"), "the display: keys, clipboard, screen";
    "x11" Sockets Never: Connect("/tmp/.X11-unix/X213"), "the display of X11: keys, clipboard, screen";
    "x11-abstract" Sockets HostNetwork: Do(network::abstract_x11), "the same by its abstract name";
    "session-bus" Sockets Never: Connect("${runtime}/bus"), "the bus of the session, which starts programs";
    "sound" Sockets Never: Connect("${runtime}/pipewire-0"), "microphone and camera";
    "container-engine" Sockets Never: Connect("/run/docker.sock"), "a container engine, which is root on the host";
    "user-container-engine" Sockets Never: Connect("${runtime}/podman/podman.sock"), "the user's own container engine";
    "system-bus" Sockets Never: Connect("/run/dbus/system_bus_socket"), "the bus of the system";
    "service-manager" Sockets Never: Connect("${runtime}/systemd/private"), "the user's service manager";
    "abstract-socket" Sockets HostNetwork: Do(network::abstract_socket), "a socket with an abstract name";

    "loopback" Network HostNetwork: Tcp("127.0.0.1:${port}"), "a service on the loopback";
    "loopback-6" Network HostNetwork: Tcp("[::1]:${port}"), "the same by IPv6";
    "loopback-other-address" Network HostNetwork: Tcp("127.8.8.8:${port}"), "the same by another address of the loopback";
    "loopback-as-nowhere" Network HostNetwork: Tcp("0.0.0.0:${port}"), "the same by the address that stands for none";
    "loopback-udp" Network HostNetwork: Do(network::loopback_udp), "a service on the loopback by UDP";
    "metadata" Network HostNetwork: Tcp("169.254.169.254:80"), "the metadata service of a cloud";
    "metadata-6" Network HostNetwork: Tcp("[fd00:ec2::254]:80"), "the same by IPv6";
    "neighbour-machine" Network HostNetwork: Tcp("10.213.0.1:${port}"), "another machine of the local network";
    "name-server" Network HostNetwork: Do(network::name_server), "a query to a name server, which can carry anything out";
    "see-interfaces" Network HostNetwork: Do(network::interfaces), "the machine's network interfaces and addresses";
    "raw-socket" Network Never: Do(network::raw_socket), "packets of one's own making";
    "packet-socket" Network Never: Do(network::packet_socket), "packets of others";
    "listen-low" Network HostNetwork: Do(network::listen_low), "listening where a service of the host would";
};
