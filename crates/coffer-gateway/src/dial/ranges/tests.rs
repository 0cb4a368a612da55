use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::kind;
use crate::setup::Ranges;

#[test]
fn each_kind_of_address_is_known() {
    for (ranges, texts) in [
        (
            Ranges::Public,
            &[
                "1.1.1.1",
                "8.8.8.8",
                "172.32.0.1",
                "100.128.0.1",
                "223.255.255.255",
                "2606:4700::1",
                "2a00::1",
                "64:ff9b::808:808",
                "::ffff:8.8.8.8",
                "2002:808:808::1",
            ][..],
        ),
        (
            Ranges::Private,
            &[
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "192.0.2.1",
                "198.18.0.1",
                "fd00::1",
                "fc00::1",
                "fec0::1",
                "2001:db8::1",
                "::ffff:10.0.0.1",
                "64:ff9b::a00:1",
                "2002:a00:1::",
                "::10.0.0.1",
                "64:ff9b:1::808:808",
                "2001:0:0:0:0:0:f5ff:fffe",
            ],
        ),
        (
            Ranges::Any,
            &[
                "127.0.0.1",
                "127.255.255.255",
                "0.0.0.0",
                "0.1.2.3",
                "169.254.1.1",
                "169.254.169.254",
                "169.254.170.2",
                "100.100.100.200",
                "224.0.0.1",
                "239.1.1.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "fe80::1",
                "febf::1",
                "ff02::1",
                "fd00:ec2::254",
                "::ffff:127.0.0.1",
                "::ffff:169.254.169.254",
                "64:ff9b::7f00:1",
                "2002:7f00:1::",
                "2002:a9fe:a9fe::",
                "::127.0.0.1",
                "::ffff:0:127.0.0.1",
                "4000::1",
                "100::1",
            ],
        ),
    ] {
        for text in texts {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(kind(address).ranges, ranges, "{text}: {}", kind(address).name);
        }
    }
}

/// The standard library's own knowledge, as far as it goes, agrees.
#[test]
fn nothing_that_the_standard_library_knows_to_be_near_is_public() {
    let mut seed = 1_u32;
    for _ in 0..200_000 {
        // A linear congruential generator, so that each run looks at the same addresses.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let address = Ipv4Addr::from(seed);
        let near = address.is_loopback()
            || address.is_private()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
            || address.is_unspecified()
            || address.is_documentation();
        assert!(!near || kind(address.into()).ranges > Ranges::Public, "{address}");
        // Whatever carries it is at least as near as it is.
        for carrier in [address.to_ipv6_mapped(), address.to_ipv6_compatible()] {
            assert!(kind(carrier.into()).ranges >= kind(address.into()).ranges, "{carrier}");
        }
        let address = Ipv6Addr::from((u128::from(seed) << 96) | 1);
        let near = address.is_loopback()
            || address.is_multicast()
            || address.is_unicast_link_local()
            || address.is_unique_local();
        assert!(!near || kind(address.into()).ranges > Ranges::Public, "{address}");
    }
}
