//! A login in an engine's volume becomes an account's.

use coffer_testkit::engine::{Image, Kind};

use super::{LOGIN, with_each};
use crate::support::run;

#[test]
fn a_login_in_a_volume_becomes_an_account() {
    with_each(Image::Tiny, |place| {
        let name = format!("hub-{}", std::process::id());
        let mut fill = place.engine.command();
        fill.args(["run", "--rm", "--interactive", "--pull", "never", "--network", "none"]);
        fill.args(["--volume", &format!("{name}:/hub"), place.image, "sh", "-c"]);
        fill.arg(
            "mkdir /hub/.claude; umask 0; cat >/hub/.claude/.credentials.json; echo '{}' >/hub/.claude.json",
        );
        crate::support::run_with_input(&mut fill, LOGIN.as_bytes()).ends_with(0);
        let import = |name: &str| {
            let words = ["account", "import", "work", "--volume", name, "--backend", place.engine.backend()];
            run(place.with_engine(place.stage.coffer(words)))
        };
        let done = import(&name);
        done.ends_with(0).keeps_secret(&["sk-ant-ort01-FAKE-refresh"]);
        // What would have gone wrong with it there.
        for words in ["whoever refreshes first wins", "others"] {
            assert!(done.stderr.contains(words), "{words}: {done}");
        }
        let account = place.stage.data().join("accounts/work");
        let kept = std::fs::read_to_string(account.join("login/store/.credentials.json")).unwrap();
        assert_eq!(kept, LOGIN);
        assert!(account.join("state/.claude.json").exists(), "{done}");
        import("no-such-volume").refuses(4, "volume-missing", "`no-such-volume`", "volume ls");
        if place.engine.kind() == Kind::Docker {
            run(place.engine.command().args(["volume", "rm", &name])).ends_with(0);
        }
    });
}
