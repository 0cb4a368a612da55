use std::os::unix::fs::PermissionsExt;

use camino::Utf8PathBuf;
use coffer_plan::plan::NetworkTier;
use tempfile::TempDir;

use super::{FILE, Kept, MARK, MOST, TokenHash, Tokens, TokensError, Wanted, Worth};

const HOUR_MS: i64 = 3_600_000;

fn world() -> (TempDir, Tokens) {
    let keep = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(keep.path().join("data")).unwrap();
    let tokens = Tokens::of(&data);
    (keep, tokens)
}

fn wanted(account: &str) -> Wanted {
    Wanted {
        label: None,
        account: account.parse().unwrap(),
        network: NetworkTier::Agent,
        allow: Vec::new(),
        ttl_ms: HOUR_MS,
    }
}

#[test]
fn a_token_is_256_random_bits_and_only_its_hash_is_kept() {
    let (_keep, tokens) = world();
    assert_eq!(tokens.read().unwrap(), [], "there never was one");
    let (one, word) = tokens.create(wanted("work"), 5).unwrap();
    let (other, another) = tokens.create(wanted("work"), 5).unwrap();
    assert_ne!(word.expose(), another.expose());
    let digits = word.expose().strip_prefix(MARK.as_bytes()).unwrap();
    assert_eq!(digits.len(), 64);
    let text = std::fs::read(tokens.file()).unwrap();
    for word in [&word, &another] {
        let digits = &word.expose()[MARK.len()..];
        for part in digits.chunks(16) {
            assert!(!text.windows(16).any(|window| window == part), "a part of a token is in the file");
        }
    }
    assert_eq!(one.sha256, TokenHash::of(word.expose()));
    assert_eq!(tokens.read().unwrap(), [one, other]);
    let mode = |path: &camino::Utf8Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&tokens.file()), 0o600);
    assert_eq!(mode(tokens.file().parent().unwrap()), 0o700);
}

#[test]
fn those_who_create_and_revoke_at_once_lose_nothing() {
    let (_keep, tokens) = world();
    let (doomed, _) = tokens.create(wanted("doomed"), 0).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let tokens = &tokens;
            scope.spawn(move || {
                for _ in 0..4 {
                    tokens.create(wanted(&format!("a{thread}")), 0).unwrap();
                }
            });
        }
        scope.spawn(|| tokens.revoke(&doomed.id).unwrap());
    });
    let all = tokens.read().unwrap();
    assert_eq!(all.len(), 32);
    for thread in 0..8 {
        let name = format!("a{thread}");
        assert_eq!(all.iter().filter(|token| token.account.as_str() == name).count(), 4);
    }
    let mut ids: Vec<&str> = all.iter().map(|token| token.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 32);
}

#[test]
fn a_damaged_file_is_an_error_and_never_empty() {
    let (_keep, tokens) = world();
    tokens.create(wanted("work"), 0).unwrap();
    let good = std::fs::read_to_string(tokens.file()).unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    for text in [
        String::new(),
        good[..good.len() / 2].to_owned(),
        replaced("\"schema\": 1", "\"schema\": 2"),
        replaced("\"agent\"", "\"full\""),
        replaced("\"sha256\": \"", "\"sha256\": \"zz"),
        replaced("\"account\"", "\"acount\""),
        "[]".to_owned(),
    ] {
        std::fs::write(tokens.file(), &text).unwrap();
        let error = tokens.read().unwrap_err();
        assert!(matches!(error, TokensError::Broken { .. }), "{text}: {error}");
        assert!(error.hint().unwrap().contains("mv "), "{error}");
        // Whoever makes another one does not write over it.
        tokens.create(wanted("work"), 0).unwrap_err();
        tokens.revoke("tk-00000000").unwrap_err();
        assert_eq!(std::fs::read_to_string(tokens.file()).unwrap(), text);
    }
}

#[test]
fn a_file_that_others_could_write_is_not_believed() {
    let (_keep, tokens) = world();
    tokens.create(wanted("work"), 0).unwrap();
    for mode in [0o660, 0o604, 0o602] {
        std::fs::set_permissions(tokens.file(), PermissionsExt::from_mode(mode)).unwrap();
        let error = tokens.read().unwrap_err();
        assert!(matches!(error, TokensError::Open { .. }), "{error}");
        assert!(error.hint().unwrap().contains("chmod 600"), "{error}");
    }
    std::fs::set_permissions(tokens.file(), PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(tokens.read().unwrap().len(), 1);
    let aside = tokens.file().with_file_name("aside");
    std::fs::rename(tokens.file(), &aside).unwrap();
    std::os::unix::fs::symlink(&aside, tokens.file()).unwrap();
    assert!(matches!(tokens.read(), Err(TokensError::Unread { .. })), "a link is not followed");
}

#[test]
fn a_token_lives_from_its_making_to_its_end_whatever_the_clock_does() {
    let (_keep, tokens) = world();
    let (token, _) = tokens.create(wanted("work"), 10 * HOUR_MS).unwrap();
    assert_eq!(token.worth(10 * HOUR_MS), Worth::Good);
    assert_eq!(token.worth(11 * HOUR_MS - 1), Worth::Good);
    assert_eq!(token.worth(11 * HOUR_MS), Worth::Ended);
    assert_eq!(token.worth(i64::MAX), Worth::Ended);
    // A clock that was set back does not give it more time.
    assert_eq!(token.worth(10 * HOUR_MS - 1), Worth::TooEarly);
    assert_eq!(token.worth(0), Worth::TooEarly);
    // One that was ahead for a moment has taken nothing away.
    let (later, _) = tokens.create(wanted("work"), 1_000_000 * HOUR_MS).unwrap();
    assert_eq!(tokens.read().unwrap(), [token, later]);
}

#[test]
fn one_more_than_there_is_room_for_takes_the_place_of_one_that_has_ended() {
    let (_keep, tokens) = world();
    let (first, _) = tokens.create(Wanted { ttl_ms: 1, ..wanted("first") }, 0).unwrap();
    // Not one by one: that is a sync of the disc for each.
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(tokens.file()).unwrap()).unwrap();
    let list = text["tokens"].as_array_mut().unwrap();
    for number in 1..MOST {
        let mut more = list[0].clone();
        more["id"] = format!("tk-{number:08x}").into();
        more["ends_at_ms"] = (2 * HOUR_MS).into();
        list.push(more);
    }
    std::fs::write(tokens.file().with_file_name(FILE), text.to_string()).unwrap();
    let (second, _) = tokens.create(wanted("second"), HOUR_MS).unwrap();
    let all = tokens.read().unwrap();
    assert_eq!(all.len(), MOST);
    assert!(!all.contains(&first) && all.contains(&second));
    assert!(matches!(tokens.create(wanted("third"), HOUR_MS), Err(TokensError::Full)));
    assert_eq!(tokens.read().unwrap().len(), MOST);
}

#[test]
fn a_revoked_token_is_gone_and_an_unknown_one_is_told() {
    let (_keep, tokens) = world();
    let (one, _) = tokens.create(wanted("one"), 0).unwrap();
    let (two, _) = tokens.create(wanted("two"), 0).unwrap();
    assert_eq!(tokens.revoke(&one.id).unwrap(), one);
    assert_eq!(tokens.read().unwrap(), [two]);
    assert!(matches!(tokens.revoke(&one.id), Err(TokensError::Unknown { .. })));
}

#[test]
fn hosts_are_added_once() {
    let (_keep, tokens) = world();
    let (token, _) = tokens.create(wanted("work"), 0).unwrap();
    let rules = ["example.org".parse().unwrap(), "*.example.net:8443".parse().unwrap()];
    tokens.allow(&token.id, &rules).unwrap();
    tokens.allow(&token.id, &rules[..1]).unwrap();
    assert_eq!(tokens.read().unwrap()[0].allow, rules);
}

#[test]
fn a_services_token_lives_for_as_long_as_it_is_kept_and_stands_for_one_thing() {
    let (_keep, tokens) = world();
    let wanted = |account: &str| Wanted { label: Some("service one".to_owned()), ..wanted(account) };
    let word = Tokens::word().unwrap();
    let (first, kept) = tokens.keep(&word, &wanted("work"), 0, 5).unwrap();
    assert_eq!((kept, first.created_at_ms, first.ends_at_ms), (Kept::Anew, 5, 5 + HOUR_MS));
    assert_eq!(first.sha256, TokenHash::of(word.expose()));
    let (same, kept) = tokens.keep(&word, &wanted("work"), 5, HOUR_MS / 4).unwrap();
    assert_eq!((kept, &same), (Kept::AsItWas, &first));
    let (longer, kept) = tokens.keep(&word, &wanted("work"), 5, HOUR_MS - 1).unwrap();
    assert_eq!((kept, &longer.id, longer.created_at_ms), (Kept::Longer, &first.id, 5));
    assert_eq!(longer.ends_at_ms, HOUR_MS - 1 + HOUR_MS);
    // Whoever was trusted with an account was not trusted with another one of that name, until it is said anew.
    let (anew, kept) = tokens.keep(&word, &wanted("work"), 6, HOUR_MS).unwrap();
    assert_eq!((kept, anew.created_at_ms), (Kept::Anew, HOUR_MS));
    let (other, kept) = tokens.keep(&word, &wanted("other"), 0, HOUR_MS).unwrap();
    assert_eq!((kept, other.account.as_str()), (Kept::Anew, "other"));
    assert_eq!(tokens.read().unwrap(), [other]);
    // Another word for the service takes the place of the first; a person's tokens stay.
    let (persons, _) = tokens.create(super::tests::wanted("work"), 0).unwrap();
    let (second, _) = tokens.keep(&Tokens::word().unwrap(), &wanted("work"), 0, HOUR_MS).unwrap();
    assert_eq!(tokens.read().unwrap(), [persons, second]);
    // One that nobody kept has ended, and is made anew.
    let (ended, kept) = tokens.keep(&word, &wanted("work"), 0, 5 * HOUR_MS).unwrap();
    assert_eq!((kept, ended.worth(5 * HOUR_MS)), (Kept::Anew, Worth::Good));
}
