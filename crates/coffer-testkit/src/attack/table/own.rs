//! Cofferdam's own parts, and using up what all share.

use super::Deed::{Do, Lead};
use super::{Attack, rows};
use crate::attack::deeds::{gateway, limits, own};

pub(super) const ATTACKS: &[Attack] = rows! {
    "proxy-to-metadata" Gateway HostNetwork: Do(gateway::metadata), "the metadata service by way of the proxy";
    "proxy-to-loopback" Gateway HostNetwork: Do(gateway::loopback), "the host's loopback by way of the proxy";
    "proxy-to-loopback-name" Gateway HostNetwork: Do(gateway::loopback_name), "the same by its name";
    "proxy-to-odd-address" Gateway HostNetwork: Do(gateway::odd_address), "the same by one number";
    "proxy-to-hex-address" Gateway HostNetwork: Do(gateway::hex_address), "the same in hexadecimal";
    "proxy-to-mapped-address" Gateway HostNetwork: Do(gateway::mapped_address), "the same as an IPv4 address in IPv6";
    "proxy-to-neighbour" Gateway HostNetwork: Do(gateway::neighbour), "another machine of the local network by way of the proxy";
    "proxy-to-unlisted-name" Gateway HostNetwork: Do(gateway::unlisted), "a name that nobody allowed, by way of the proxy";
    "proxy-plain-request" Gateway HostNetwork: Do(gateway::plain), "the same by a request in the open";
    "proxy-host-mismatch" Gateway HostNetwork: Do(gateway::mismatch), "one host in the request's line, another in its header";
    "guess-capability" Gateway HostNetwork: Do(gateway::guess), "the API without this run's word";
    "no-capability" Gateway HostNetwork: Do(gateway::no_word), "the API without any word";
    "smuggle-by-length" Gateway HostNetwork: Do(gateway::smuggle_lengths), "a request inside another: two lengths";
    "smuggle-by-chunks" Gateway HostNetwork: Do(gateway::smuggle_chunks), "a request inside another: a length and chunks";
    "smuggle-by-name" Gateway HostNetwork: Do(gateway::smuggle_name), "a request inside another: a header whose name ends in a space";
    "api-other-host" Gateway HostNetwork: Do(gateway::api_other_host), "another host by the API's door";

    "neighbour-lease" Own Never: Do(own::neighbour_files), "files of another live run, its lease, too";
    "neighbour-sockets" Own Never: Do(own::neighbour_sockets), "sockets of another live run";
    "list-runs" Own Never: Do(own::list_runs), "which runs there are";
    "read-own-lease" Own Lease: Do(own::read_lease), "the access token of one's own lease, which is granted";
    "refresh-token-in-lease" Own Never: Do(own::refresh_token), "a refresh token in one's own lease";
    "swap-lease-folder" Own Never: Do(own::swap_lease_folder), "a link in the place of the lease folder, for the host to follow";
    "link-in-lease" Own Never: Lead(own::link_in_lease), "a link in the place of the login in the lease, for the host to write through";
    "replace-init" Own Never: Do(own::replace_init), "the program that starts everything inside";
    "end-first-process" Own Never: Do(own::end_first), "the end of the first process";
    "links-in-state" Own Never: Lead(own::links_in_state), "a link in the agent's state, for the host to follow at the end";

    "many-processes" Exhaustion Never: Do(limits::processes), "more processes than the limit";
    "much-memory" Exhaustion Never: Do(limits::memory), "more memory than the limit";
    "raise-own-limits" Exhaustion Never: Do(limits::raise), "higher limits than were given";
    "leave-the-oom-killer" Exhaustion Never: Do(limits::oom), "that others are ended first when memory runs out";
};
