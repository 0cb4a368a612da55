//! GnuPG keys.

use std::process::Command;

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// A stage with GnuPG keys, and an agent that has them.
struct GpgStage {
    stage: Stage,
    /// The keys' fingerprints.
    granted: String,
    other: String,
}

impl GpgStage {
    fn new() -> Option<Self> {
        if !sandboxes() || ["gpg", "gpgconf", "git"].iter().any(|program| require::program(program).is_none())
        {
            return None;
        }
        let mut out = Self { stage: Stage::new(), granted: String::new(), other: String::new() };
        let folder = out.stage.home().join(".gnupg");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        out.granted = out.made("Ada <ada@example.org>");
        out.other = out.made("Other <other@example.org>");
        run(out.gpg().args(["--quick-add-key", &out.granted, "cv25519", "encr", "never"])).ends_with(0);
        Some(out)
    }

    fn gpg(&self) -> Command {
        let mut gpg = self.stage.command("gpg");
        gpg.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]);
        gpg
    }

    fn made(&self, user: &str) -> String {
        run(self.gpg().args(["--quick-generate-key", user, "ed25519", "sign", "never"])).ends_with(0);
        let listed = run(self.gpg().args(["--with-colons", "--list-secret-keys", user])).text();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn inside(&self, flags: &[&str], script: &str) -> Ran {
        self.stage.inside(flags, script)
    }
}

impl Drop for GpgStage {
    fn drop(&mut self) {
        // The agent of this stage's home alone.
        run(self.stage.command("gpgconf").args(["--kill", "gpg-agent"]));
    }
}

fn signed(key: &str) -> String {
    format!("echo text | gpg --batch --quiet --local-user {key} --clearsign")
}

#[test]
fn a_commit_is_signed_inside() {
    let Some(keys) = GpgStage::new() else { return };
    let git = |words: &[&str]| run(keys.stage.command("git").args(words).current_dir(keys.stage.project()));
    git(&["init", "-q"]).ends_with(0);
    git(&["config", "user.signingkey", &keys.granted]).ends_with(0);
    git(&["config", "user.name", "Ada"]).ends_with(0);
    git(&["config", "user.email", "ada@example.org"]).ends_with(0);
    let commit = "git commit -q -S --allow-empty -m signed && git verify-commit HEAD";
    keys.inside(&["--gpg-agent=ada@example.org"], commit).ends_with(0);
    let verified = git(&["verify-commit", "--raw", "HEAD"]);
    assert!(verified.ends_with(0).stderr.contains(&format!("VALIDSIG {}", keys.granted)), "{verified}");
    // Without the flag there is neither agent nor key.
    let without = keys.inside(&[], "git commit -q -S --allow-empty -m unsigned");
    assert!(without.code != Some(0), "{without}");
}

#[test]
fn only_the_granted_key_is_there_and_signs() {
    let Some(keys) = GpgStage::new() else { return };
    let by_granted = format!("--gpg-agent={}", keys.granted);
    // The control: outside both do.
    for key in [&keys.granted, &keys.other] {
        run(keys.stage.command("sh").args(["-c", &signed(key)])).ends_with(0);
    }
    let listed = keys.inside(&[&by_granted], "gpg --batch --with-colons --list-secret-keys");
    let text = listed.ends_with(0).text();
    assert!(text.contains(&keys.granted) && !text.contains(&keys.other), "{text}");
    keys.inside(&[&by_granted], &signed(&keys.granted)).ends_with(0);
    let refused = keys.inside(&[&by_granted], &signed(&keys.other));
    assert!(refused.code != Some(0), "{refused}");
    // Also for a client that brings the key's public part, and asks the agent itself.
    let public = run(keys.gpg().args(["--armor", "--export", &keys.other])).text();
    keys.stage.project_file("other.asc", &public);
    let own_home = "mkdir -m 700 own && ln -s /run/coffer/key-agents/gpg.sock own/S.gpg-agent && \
                    gpg --batch --quiet --homedir own --import other.asc && ";
    let script = format!("{own_home} {}", signed(&keys.other).replace("--batch", "--batch --homedir own"));
    let refused = keys.inside(&[&by_granted], &script);
    assert!(refused.code != Some(0) && refused.stderr.contains("ecret key"), "{refused}");
    let ledger = super::of_keys(&keys.stage);
    let allowed = |(what, key, verdict, _): &(String, String, String, u64)| {
        what == "sign" && key.starts_with(&keys.granted) && verdict == "allowed"
    };
    assert!(ledger.iter().any(allowed), "{ledger:?}");
}

#[test]
fn decryption_takes_a_flag_of_its_own() {
    let Some(keys) = GpgStage::new() else { return };
    let encrypt =
        format!("echo secret | gpg --batch --quiet --trust-model always -r {} -e > text.gpg", keys.granted);
    let outside =
        |script: &str| run(keys.stage.command("sh").args(["-c", script]).current_dir(keys.stage.project()));
    outside(&encrypt).ends_with(0);
    let decrypt = "gpg --batch --quiet -d text.gpg";
    outside(decrypt).prints("secret\n");
    let refused = keys.inside(&["--gpg-agent=ada@example.org"], decrypt);
    assert!(refused.code != Some(0) && refused.text().is_empty(), "{refused}");
    keys.inside(&["--gpg-agent=ada@example.org", "--gpg-agent-decrypt"], decrypt).prints("secret\n");
}

#[test]
fn the_agent_does_nothing_else() {
    let Some(keys) = GpgStage::new() else { return };
    let grip = run(keys.gpg().args(["--with-colons", "--with-keygrip", "--list-secret-keys", &keys.granted]));
    let grip = grip.text();
    let grip =
        grip.lines().find(|line| line.starts_with("grp:")).and_then(|line| line.split(':').nth(9)).unwrap();
    let hashed = "SETHASH 8 0000000000000000000000000000000000000000000000000000000000000000";
    for command in [
        format!("DELETE_KEY --force {grip}"),
        format!("EXPORT_KEY {grip}"),
        format!("PASSWD {grip}"),
        "KILLAGENT".to_owned(),
        "GET_PASSPHRASE x X X X".to_owned(),
        "GETINFO pid".to_owned(),
        "GETINFO socket_name".to_owned(),
        "KEYINFO --list".to_owned(),
        format!("{hashed}\nPKSIGN"),
    ] {
        let script = format!("gpg-connect-agent <<'END'\n{command}\nEND");
        let ran = keys.inside(&["--gpg-agent=ada@example.org"], &script);
        assert!(ran.text().lines().last().unwrap_or_default().starts_with("ERR "), "{command}: {ran}");
    }
    // The control: the agent itself tells.
    let told = run(keys.stage.command("gpg-connect-agent").args(["GETINFO pid", "/bye"]));
    assert!(told.text().contains("OK"), "{told}");
    // And it lives.
    run(keys.stage.command("sh").args(["-c", &signed(&keys.granted)])).ends_with(0);
}
