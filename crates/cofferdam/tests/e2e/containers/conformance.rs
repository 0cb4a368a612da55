//! What the API is sent by the genuine CLI in a container, through the gateway, is what it is sent by the same CLI
//! beside no container and no gateway.

use coffer_testkit::LoginSpec;
use coffer_testkit::fake::fingerprint;

use super::genuine::{Guest, on_every_engine_native};
use crate::conformance::{Arrival, arrivals, assert_same};
use crate::support::{run, sandboxes};

on_every_engine_native!("containers::conformance": the_api_is_sent_the_same);

mod scenarios {
    use super::*;

    pub(super) fn the_api_is_sent_the_same(guest: &Guest) {
        if !sandboxes() {
            return;
        }
        let practice = &guest.practice;
        practice.api.keep_bodies();
        let key = practice.api.add_api_key();
        compare(guest, Some(("ANTHROPIC_API_KEY", key.as_str())), &key, "x-api-key");
        let login = practice.sign_in(&LoginSpec::default());
        compare(guest, None, &login.access_token, "authorization");
    }
}

const SHELL_OF_THE_IMAGE: &str = " (login shell: sh)";

fn compare(guest: &Guest, variable: Option<(&str, &str)>, secret: &str, header: &str) {
    let practice = &guest.practice;
    let asks = |flags: &[&str]| -> Vec<Arrival> {
        let since = practice.api.requests().len();
        let mut command = practice.run(&[flags, &["--state", "fresh", "--", "-p", "hi"]].concat());
        command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").envs(variable);
        run(command).prints("practice answer: hi\n").keeps_secret(&[secret]);
        let arrived = arrivals(&practice.api, since);
        assert!(arrived.iter().any(|one| one.what.1 == "/v1/messages"), "{arrived:?}");
        // The client says which shell its user has, and in an image it is another one than on the machine.
        arrived.into_iter().map(|one| one.without(SHELL_OF_THE_IMAGE)).collect()
    };
    let direct = asks(&["--auth", "lease", "--network", "full"]);
    let through = asks(&[&guest.flags()[..], &["--auth", "gateway", "--network", "agent"]].concat());
    assert_same(&direct, &through, guest.engine.backend());
    let seen = practice.messages().pop().unwrap();
    assert_eq!(seen.credential(header), Some(fingerprint(secret).as_str()), "{seen:?}");
}
