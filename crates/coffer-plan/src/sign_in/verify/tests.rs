use proptest::prelude::*;
use serde_json::json;

use super::super::shape::read;
use super::*;

const NOW: i64 = 1_795_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const CANARY: &str = "sk-ant-ort01-FAKE-CANARY";

fn scopes() -> Vec<String> {
    vec!["user:inference".to_owned()]
}

fn details() -> LoginDetails {
    LoginDetails {
        refresh_token: true,
        fingerprint: Some(fingerprint("sk-ant-ort01-FAKE-1")),
        expires_at_ms: Some(NOW + HOUR),
        login_expires_at_ms: Some(NOW + 20 * DAY),
        scopes: scopes(),
        subscription: Some("max".to_owned()),
    }
}

/// What is seen; changed by the tests.
#[derive(Debug)]
struct Case {
    shape: LoginShape,
    place: Place,
    marker_matches: Option<bool>,
    refused: Option<(String, RefusedBecause)>,
    demanded: Vec<String>,
    now_ms: i64,
}

impl Case {
    fn new() -> Self {
        let place = Place {
            own_uid: 1000,
            file: Some(Owned { uid: 1000, mode: 0o600 }),
            folder: Some(Owned { uid: 1000, mode: 0o700 }),
            leads_out: false,
        };
        Self {
            shape: LoginShape::Login(details()),
            place,
            marker_matches: Some(true),
            refused: None,
            demanded: scopes(),
            now_ms: NOW,
        }
    }

    fn login(change: impl FnOnce(&mut LoginDetails)) -> Self {
        let mut own = details();
        change(&mut own);
        Self { shape: LoginShape::Login(own), ..Self::new() }
    }

    fn bytes(bytes: &[u8]) -> Self {
        Self { shape: read(bytes), ..Self::new() }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn verify(&self) -> Verified {
        let refused = self.refused.as_ref();
        verify(&Seen {
            shape: &self.shape,
            place: self.place,
            marker_matches: self.marker_matches,
            refused: refused.map(|(fingerprint, because)| RefusedBefore { fingerprint, because: *because }),
            demanded_scopes: &self.demanded,
            now_ms: self.now_ms,
        })
    }
}

fn refused(because: RefusedBecause) -> Case {
    Case::new().with(|case| case.refused = Some((fingerprint("sk-ant-ort01-FAKE-1"), because)))
}

fn wiped() -> Case {
    Case::bytes(br#"{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0},"mcpOAuth":{}}"#)
}

/// The contract's table, row by row.
#[test]
fn every_trigger_means_what_the_contract_says() {
    use OnKeeper::{Keeps, NeverWrites, NotAgain, Nothing, RefreshesNothing};
    use OnRun::{GoesOn, GoesOnWithout, SaysSo, Stops};
    use Trigger::{
        MissingCredentials, NewVolume, ScopeMismatch, SecurityViolation, TokenCorrupted, TokenExpired,
    };
    use Verdict::{Expiring, LoginNeeded, Ready};
    let file = |mode: u32| Case::new().with(|case| case.place.file = Some(Owned { uid: 1000, mode }));
    let corrupted = (LoginNeeded, Some(TokenCorrupted), Stops, NeverWrites);
    let expired = (LoginNeeded, Some(TokenExpired), Stops, NotAgain);
    let missing = (LoginNeeded, Some(MissingCredentials), GoesOnWithout, Nothing);
    let wide = (Ready, Some(SecurityViolation), OnRun::Tightens, OnKeeper::Tightens);
    let violated = (LoginNeeded, Some(SecurityViolation), Stops, NeverWrites);
    let revoked = (LoginNeeded, Some(SecurityViolation), Stops, NotAgain);
    for (case, (verdict, trigger, run, keeper)) in [
        (Case::new(), (Ready, None, GoesOn, Keeps)),
        (Case::new().with(|case| case.shape = LoginShape::Missing), missing),
        (Case::bytes(br#"{"mcpOAuth":{"s":{}}}"#), missing),
        (Case::login(|login| (login.expires_at_ms, login.refresh_token) = (Some(NOW - 1), false)), expired),
        (Case::login(|login| (login.expires_at_ms, login.refresh_token) = (Some(NOW), false)), expired),
        (refused(RefusedBecause::Reused), expired),
        (refused(RefusedBecause::Expired), expired),
        (refused(RefusedBecause::Revoked), revoked),
        (wiped().with(|case| case.refused = Some((String::new(), RefusedBecause::Reused))), expired),
        (wiped().with(|case| case.refused = Some((String::new(), RefusedBecause::Revoked))), revoked),
        (wiped(), corrupted),
        (Case::bytes(b""), corrupted),
        (Case::bytes(b"{}"), corrupted),
        (Case::bytes(b"{\"claudeAiOauth\":{\"accessToken\":7}}"), corrupted),
        (
            Case::new().with(|case| case.shape = LoginShape::Unreadable { error: "a named pipe".to_owned() }),
            corrupted,
        ),
        (
            Case::login(|login| login.scopes = vec!["user:profile".to_owned()]),
            (LoginNeeded, Some(ScopeMismatch), Stops, RefreshesNothing),
        ),
        (
            Case::new().with(|case| case.demanded.push("org:create_api_key".to_owned())),
            (LoginNeeded, Some(ScopeMismatch), Stops, RefreshesNothing),
        ),
        (Case::new().with(|case| case.marker_matches = Some(false)), (Ready, Some(NewVolume), SaysSo, Keeps)),
        (file(0o644), wide),
        (file(0o640), wide),
        (file(0o700), wide),
        (Case::new().with(|case| case.place.folder = Some(Owned { uid: 1000, mode: 0o755 })), wide),
        (Case::new().with(|case| case.place.file = Some(Owned { uid: 0, mode: 0o600 })), violated),
        (Case::new().with(|case| case.place.folder = Some(Owned { uid: 0, mode: 0o700 })), violated),
        (Case::new().with(|case| case.place.leads_out = true), violated),
        // An ended access token with a refresh token is the keeper's work.
        (Case::login(|login| login.expires_at_ms = Some(NOW - DAY)), (Expiring, None, GoesOn, Keeps)),
        (
            Case::login(|login| login.expires_at_ms = Some(NOW + ENDING_MS - 1)),
            (Expiring, None, GoesOn, Keeps),
        ),
        (Case::login(|login| login.expires_at_ms = Some(NOW + ENDING_MS)), (Ready, None, GoesOn, Keeps)),
        // Both clocks are over: nobody can renew it.
        (
            Case::login(|login| {
                (login.expires_at_ms, login.login_expires_at_ms) = (Some(NOW - DAY), Some(NOW - DAY))
            }),
            expired,
        ),
        // The login is over, the access token is not yet.
        (Case::login(|login| login.login_expires_at_ms = Some(NOW - DAY)), (Ready, None, SaysSo, Keeps)),
        (file(0o400), (Ready, None, GoesOn, Keeps)),
    ] {
        let seen = case.verify();
        let found = (seen.verdict, seen.trigger, seen.run, seen.keeper);
        assert_eq!(found, (verdict, trigger, run, keeper), "{:?} {:?}", case.shape, case.place);
        assert_eq!(seen.decisive().is_some(), trigger.is_some());
        assert_eq!(seen.renewable, keeper.may_refresh(), "{:?}", case.shape);
    }
}

#[test]
fn another_refresh_token_is_another_chance() {
    let other = Case::login(|login| login.fingerprint = Some(fingerprint("sk-ant-ort01-FAKE-2")))
        .with(|case| case.refused = Some((fingerprint("sk-ant-ort01-FAKE-1"), RefusedBecause::Reused)));
    assert_eq!(other.verify().trigger, None);
    let none = Case::login(|login| (login.fingerprint, login.refresh_token) = (None, false))
        .with(|case| case.refused = Some((fingerprint("sk-ant-ort01-FAKE-1"), RefusedBecause::Reused)));
    assert_eq!(none.verify().trigger, None);
}

/// Measured: missing, null or text is never treated as ended; seconds are.
#[test]
fn odd_ends_are_taken_as_the_client_takes_them() {
    for (end, verdict) in [
        (json!(null), Verdict::Ready),
        (json!("2020-01-01T00:00:00Z"), Verdict::Ready),
        (json!([]), Verdict::Ready),
        (json!(NOW / 1000 + 3600), Verdict::Expiring),
        (json!(0), Verdict::Expiring),
        (json!(i64::MIN), Verdict::Expiring),
        (json!(i64::MAX), Verdict::Ready),
        (json!(1e300), Verdict::Ready),
    ] {
        let file = json!({"claudeAiOauth": {"accessToken": "x", "refreshToken": "y", "expiresAt": end,
            "scopes": ["user:inference"]}});
        let case = Case::bytes(file.to_string().as_bytes());
        assert_eq!(case.verify().verdict, verdict, "{end}");
    }
    let seconds = Case::login(|login| login.expires_at_ms = Some(NOW / 1000));
    assert!(seconds.verify().findings.iter().any(|finding| finding.cause == Cause::OddEnd));
}

#[test]
fn the_end_of_the_login_counts_only_beside_a_refresh_token() {
    let file = |refresh: &str| {
        let file = json!({"claudeAiOauth": {"accessToken": "x", "refreshToken": refresh,
            "refreshTokenExpiresAt": NOW + DAY, "scopes": ["user:inference"]}});
        Case::bytes(file.to_string().as_bytes()).verify()
    };
    assert_eq!(file("y").login_expires_at_ms, Some(NOW + DAY));
    assert_eq!(file("y").findings[0].cause, Cause::LoginEndsSoon);
    assert_eq!(file("").login_expires_at_ms, None);
}

#[test]
fn all_findings_are_told_and_the_weightiest_decides() {
    let case = Case::login(|login| login.scopes.clear()).with(|case| {
        case.place.file = Some(Owned { uid: 1000, mode: 0o644 });
        case.marker_matches = Some(false);
    });
    let seen = case.verify();
    let causes: Vec<Cause> = seen.findings.iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, [Cause::Scope, Cause::WideMode, Cause::OtherFolder]);
    assert_eq!((seen.trigger, seen.run), (Some(Trigger::ScopeMismatch), OnRun::Stops));
    let texts: Vec<&str> = seen.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "the scope `user:inference` is missing",
            "the login file has the mode 0644, wider than 0600",
            "the login folder is not the one on record"
        ]
    );
}

#[test]
fn the_table_has_every_trigger_and_a_way_out_of_each_stop() {
    for trigger in Trigger::ALL {
        assert!(Cause::ALL.iter().any(|cause| cause.meaning().trigger == Some(*trigger)), "{trigger}");
    }
    for cause in Cause::ALL {
        let meaning = cause.meaning();
        if meaning.run >= OnRun::GoesOnWithout {
            let agent = crate::built_in::agent("claude").unwrap();
            assert!(cause.hint("work", &agent).unwrap().contains("coffer"), "{cause:?}");
            // `coffer login` does not replace the user's own login, so it is never the way out for that.
            let own = cause.hint("host", &agent).unwrap();
            assert!(
                !own.contains("`coffer login`") && !own.contains("--account host`, or `coffer login`"),
                "{own}"
            );
        }
        // Who needs a login cannot go on as if there were one, and nothing is refreshed for it.
        if meaning.verdict == Some(Verdict::LoginNeeded) {
            assert!(meaning.run >= OnRun::GoesOnWithout && !meaning.keeper.may_refresh(), "{cause:?}");
        }
    }
    assert!(Cause::ALL.is_sorted());
}

#[test]
fn a_token_without_a_file_is_judged_by_its_age() {
    let year = Some(365 * DAY);
    for (is_there, made, lifetime, verdict, trigger) in [
        (true, NOW, None, Verdict::Ready, None),
        (true, NOW - 100 * DAY, year, Verdict::Ready, None),
        (true, NOW - 360 * DAY, year, Verdict::Expiring, None),
        (true, NOW - 365 * DAY, year, Verdict::Expired, None),
        (false, NOW, None, Verdict::LoginNeeded, Some(Trigger::MissingCredentials)),
    ] {
        let seen = verify_token(is_there, made, lifetime, NOW);
        assert_eq!((seen.verdict, seen.trigger), (verdict, trigger));
        assert!(!seen.renewable && seen.run < OnRun::Stops);
    }
}

#[test]
fn a_fingerprint_is_the_beginning_of_the_hash() {
    // printf abc | sha256sum
    assert_eq!(fingerprint("abc"), "sha256:ba7816bf8f01");
}

fn any_shape() -> impl Strategy<Value = LoginShape> {
    let text = prop_oneof![Just("user:inference".to_owned()), Just("user:profile".to_owned())];
    let login = (
        any::<bool>(),
        prop::option::of(any::<i64>()),
        prop::option::of(any::<i64>()),
        prop::collection::vec(text, 0..3),
    );
    let login = login.prop_map(|(refresh, access, whole, scopes)| {
        LoginShape::Login(LoginDetails {
            refresh_token: refresh,
            fingerprint: refresh.then(|| fingerprint("sk-ant-ort01-FAKE-1")),
            expires_at_ms: access,
            login_expires_at_ms: whole.filter(|_| refresh),
            scopes,
            subscription: None,
        })
    });
    prop_oneof![
        Just(LoginShape::Missing),
        Just(LoginShape::SignedOut),
        Just(LoginShape::Unusable { reason: "the file is empty".to_owned() }),
        Just(wiped().shape),
        login,
    ]
}

prop_compose! {
    fn any_case()(
        shape in any_shape(),
        uid in 999..1001_u32,
        mode in 0..0o10000_u32,
        leads_out in any::<bool>(),
        marker_matches in any::<Option<bool>>(),
        because in prop::option::of(prop::sample::select(RefusedBecause::ALL)),
        now_ms in any::<i64>(),
    ) -> Case {
        let refused = because.map(|because| (fingerprint("sk-ant-ort01-FAKE-1"), because));
        let place = Place { own_uid: 1000, file: Some(Owned { uid, mode }), folder: None, leads_out };
        Case { shape, place, marker_matches, refused, demanded: scopes(), now_ms }
    }
}

proptest! {
    #[test]
    fn a_verdict_and_its_consequences_agree(case in any_case()) {
        let seen = case.verify();
        // Nothing works without a login, and nobody spends the token of one that is needed anew.
        if seen.verdict == Verdict::LoginNeeded {
            prop_assert!(seen.trigger.is_some() && !seen.renewable && seen.run >= OnRun::GoesOnWithout);
        }
        // What stops says why.
        if seen.run == OnRun::Stops {
            prop_assert!(seen.trigger.is_some() && seen.verdict == Verdict::LoginNeeded);
        }
        // An ended token that goes on can be renewed.
        let ended = seen.access_expires_at_ms.is_some_and(|end| end <= case.now_ms);
        if ended && seen.run < OnRun::GoesOnWithout {
            prop_assert!(seen.renewable && seen.verdict == Verdict::Expiring, "{seen:?}");
        }
        prop_assert!(seen.verdict != Verdict::Expired);
        prop_assert!(seen.findings.is_sorted_by_key(|finding| finding.cause));
    }

    #[test]
    fn a_later_look_is_never_more_hopeful(case in any_case(), later in 0..i64::MAX) {
        let before = case.verify();
        let after = Case { now_ms: case.now_ms.saturating_add(later), ..case }.verify();
        prop_assert!(before.verdict <= after.verdict, "{before:?} then {after:?}");
    }

    #[test]
    fn no_bytes_panic_and_no_token_is_repeated(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in 0..4_usize,
        now_ms in any::<i64>(),
    ) {
        Case::bytes(&bytes).with(|case| case.now_ms = now_ms).verify();
        let mut file = json!({"claudeAiOauth": {"accessToken": CANARY, "refreshToken": CANARY,
            "expiresAt": 5, "refreshTokenExpiresAt": 6, "scopes": [CANARY], "subscriptionType": "max"}});
        let key = ["accessToken", "expiresAt", "refreshTokenExpiresAt", "scopes"][at];
        file["claudeAiOauth"][key] = json!({"x": [CANARY]});
        let seen = Case::bytes(file.to_string().as_bytes()).verify();
        let said = format!("{seen:?}");
        prop_assert!(!said.contains("CANARY"), "{}", said);
    }
}
