//! What kind of address an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::setup::Ranges;

/// A kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// From where on it may be reached.
    pub(super) ranges: Ranges,
    /// What it is called.
    pub(super) name: &'static str,
}

const PUBLIC: Kind = Kind { ranges: Ranges::Public, name: "the open internet" };

const fn private(name: &'static str) -> Kind {
    Kind { ranges: Ranges::Private, name }
}

const fn own(name: &'static str) -> Kind {
    Kind { ranges: Ranges::Any, name }
}

/// Where the services of clouds that hand out credentials listen.
const METADATA_V4: [[u8; 4]; 4] =
    [[169, 254, 169, 254], [169, 254, 170, 2], [169, 254, 170, 23], [100, 100, 100, 200]];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

/// What kind it is. An address of version 6 that carries one of version 4 (mapped, compatible, NAT64, 6to4, Teredo) is
/// as near as that one: a router on the way may unpack it.
pub(super) fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => nearer(kind_v6(address), kind_v4(inner)),
            None => kind_v6(address),
        },
    }
}

fn nearer(one: Kind, other: Kind) -> Kind {
    if other.ranges > one.ranges { other } else { one }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let octets = address.octets();
    if METADATA_V4.contains(&octets) {
        return own("the metadata services of clouds");
    }
    // By the registry of special addresses (RFC 6890 and what followed it).
    match octets {
        [0, ..] => own("this host"),
        [127, ..] => own("loopback"),
        [169, 254, ..] => own("the local link"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => private("private networks"),
        [100, 64..=127, ..] => private("carrier-grade NAT"),
        [192, 0, 0, _] => private("protocol assignments"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => private("documentation"),
        [192, 88, 99, _] => private("6to4 relays"),
        [198, 18..=19, ..] => private("benchmarks"),
        [224..=239, ..] => own("multicast"),
        [255, 255, 255, 255] => own("broadcast"),
        [240..=255, ..] => own("reserved addresses"),
        _ => PUBLIC,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return own("the metadata services of clouds");
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => own("this host"),
        [0, 0, 0, 0, 0, 0, 0, 1] => own("loopback"),
        [0xfe80..=0xfebf, ..] => own("the local link"),
        [0xff00..=0xffff, ..] => own("multicast"),
        [0xfec0..=0xfeff, ..] => private("site-local addresses"),
        [0xfc00..=0xfdff, ..] => private("private networks"),
        [0x0100, 0, 0, 0, ..] => own("discard addresses"),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => private("documentation"),
        [0x2001, 0x0002, 0, ..] => private("benchmarks"),
        [0x2001, 0..=0x01ff, ..] => private("protocol assignments"),
        [0x0064, 0xff9b, 0x0001, ..] => private("local NAT64"),
        [0x5f00, ..] => private("segment routing"),
        // What counts is the address that these carry.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => PUBLIC,
        [0x0064, 0xff9b, ..] | [0x2002, ..] => PUBLIC,
        [0x2000..=0x3fff, ..] => PUBLIC,
        _ => own("reserved addresses"),
    }
}

/// The address of version 4 that one of version 6 carries.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        // Mapped, translated, and compatible.
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] => Some(joined(g, h)),
        [0x0064, 0xff9b, ..] => Some(joined(g, h)),
        [0x2002, ..] => Some(joined(b, c)),
        // Teredo: the client's address, inverted.
        [0x2001, 0, ..] => Some(joined(!g, !h)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
