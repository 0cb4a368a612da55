use super::gpg::keys;

/// As `gpg --with-colons --with-keygrip --list-secret-keys` says it.
const SAID: &str = "\
sec:u:255:22:1111111111111111:1700000000:::u:::scESC:::+::ed25519:::0:
fpr:::::::::AAAA000000000000000000001111111111111111:
grp:::::::::1A1A000000000000000000000000000000000000:
uid:u::::1700000000::HASH::Ada \\x3a <ada@example.org>::::::::::0:
uid:r::::1700000000::HASH::Gone <gone@example.org>::::::::::0:
ssb:u:255:18:2222222222222222:1700000000::::::e:::+::cv25519::
fpr:::::::::AAAA000000000000000000002222222222222222:
grp:::::::::2a2a000000000000000000000000000000000000:
ssb:r:255:22:3333333333333333:1700000000::::::s:::+::ed25519::
fpr:::::::::AAAA000000000000000000003333333333333333:
grp:::::::::3A3A000000000000000000000000000000000000:
sec:u:255:22:4444444444444444:1700000000:::u:::scESC:::#::ed25519:::0:
fpr:::::::::BBBB000000000000000000004444444444444444:
grp:::::::::4A4A000000000000000000000000000000000000:
uid:u::::1700000000::HASH::Offline <offline@example.org>::::::::::0:
ssb:u:255:22:5555555555555555:1700000000::::::s:::D2760001240103040006::ed25519::
fpr:::::::::BBBB000000000000000000005555555555555555:
grp:::::::::5A5A000000000000000000000000000000000000:
";

#[test]
fn the_list_of_secret_keys_is_read() {
    let keys = keys(SAID);
    let [ada, offline] = keys.as_slice() else { panic!("{keys:?}") };
    assert_eq!(ada.user_ids, ["Ada : <ada@example.org>"]);
    assert!(ada.fingerprint.starts_with("AAAA") && ada.fingerprint.ends_with("1111"));
    let parts = |at: usize| {
        let parts = keys[at].parts.iter();
        parts.map(|part| (&part.keygrip[..4], part.signs, part.decrypts, part.is_subkey)).collect::<Vec<_>>()
    };
    // What is revoked does nothing.
    let revoked = ("3A3A", false, false, true);
    assert_eq!(parts(0), [("1A1A", true, false, false), ("2A2A", false, true, true), revoked]);
    // A primary key that is kept elsewhere signs nothing here, and a card does.
    assert!(offline.fingerprint.starts_with("BBBB"));
    assert_eq!(parts(1), [("4A4A", false, false, false), ("5A5A", true, false, true)]);
}

#[test]
fn what_is_no_list_gives_no_key() {
    for said in
        ["", "sec", "sec:::::::::::", "fpr:::::::::AAAA:", "uid:u\nsec:u\ngrp:::::::::X:", ":::::\n\n"]
    {
        assert!(keys(said).is_empty(), "{said}");
    }
}
