//! A login file's bytes to a verdict, inside this process, on one core.

use std::hint::black_box;
use std::time::Instant;

use coffer_plan::sign_in::shape;
use coffer_plan::sign_in::verify::{Owned, Place, Seen, verify};

use super::rounds::median;

/// As large as a genuine file, with everything in it that is read.
const LOGIN: &[u8] = br#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","refreshToken":"sk-ant-ort01-FAKE-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","expiresAt":1795003600000,"refreshTokenExpiresAt":1797000000000,"scopes":["user:inference","user:profile"],"subscriptionType":"max","rateLimitTier":"default_claude_max_20x"},"mcpOAuth":{"server":{"serverName":"server","clientId":"x"}}}"#;
/// Logins of one round: some tenths of a second, so that the clock's own cost is nothing.
const LOGINS: u32 = 20_000;

/// The median over the rounds.
pub(super) fn per_second(rounds: u32) -> f64 {
    let scopes = ["user:inference".to_owned()];
    let place = Place {
        own_uid: 1000,
        file: Some(Owned { uid: 1000, mode: 0o600 }),
        folder: Some(Owned { uid: 1000, mode: 0o700 }),
        leads_out: false,
    };
    let rates: Vec<f64> = (0..rounds)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..LOGINS {
                let shape = shape::read(black_box(LOGIN));
                let seen = Seen {
                    shape: &shape,
                    place,
                    marker_matches: Some(true),
                    refused: None,
                    demanded_scopes: &scopes,
                    now_ms: 1_795_000_000_000,
                };
                black_box(verify(&seen));
            }
            f64::from(LOGINS) / started.elapsed().as_secs_f64()
        })
        .collect();
    median(&rates)
}
