//! What `gpg --with-colons --list-secret-keys` says (GnuPG's doc/DETAILS).

use coffer_plan::facts::{GpgKeyFact, GpgPartFact};

/// Numbers of fields.
const VALIDITY: usize = 1;
const TEXT: usize = 9;
const CAPABILITIES: usize = 11;
const TOKEN: usize = 14;

/// The keys that can be used: neither revoked nor expired, and with their secret part here or on a card.
pub(super) fn keys(said: &str) -> Vec<GpgKeyFact> {
    let mut out: Vec<GpgKeyFact> = Vec::new();
    // What `fpr` and `grp` lines are about; `None` for a part that cannot be used.
    let mut part: Option<GpgPartFact> = None;
    for line in said.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        match field(0) {
            kind @ ("sec" | "ssb") => {
                finish(&mut out, part.take());
                if kind == "sec" {
                    out.push(GpgKeyFact {
                        fingerprint: String::new(),
                        user_ids: Vec::new(),
                        parts: Vec::new(),
                    });
                }
                let is_usable = !matches!(field(VALIDITY), "r" | "e" | "i" | "d") && field(TOKEN) != "#";
                part = Some(GpgPartFact {
                    fingerprint: String::new(),
                    keygrip: String::new(),
                    signs: is_usable && field(CAPABILITIES).contains('s'),
                    decrypts: is_usable && field(CAPABILITIES).contains('e'),
                    is_subkey: kind == "ssb",
                });
            }
            "fpr" => {
                let fingerprint = field(TEXT).to_ascii_uppercase();
                if let (Some(key), Some(part)) = (out.last_mut(), &mut part) {
                    if !part.is_subkey {
                        key.fingerprint.clone_from(&fingerprint);
                    }
                    part.fingerprint = fingerprint;
                }
            }
            "grp" => {
                if let Some(part) = &mut part {
                    part.keygrip = field(TEXT).to_ascii_uppercase();
                }
            }
            "uid" => {
                if let Some(key) = out.last_mut().filter(|_| field(VALIDITY) != "r") {
                    key.user_ids.push(unescape(field(TEXT)));
                }
            }
            _ => {}
        }
    }
    finish(&mut out, part);
    out.retain(|key| !key.fingerprint.is_empty());
    out
}

fn finish(keys: &mut [GpgKeyFact], part: Option<GpgPartFact>) {
    if let (Some(key), Some(part)) = (keys.last_mut(), part)
        && !part.fingerprint.is_empty()
        && !part.keygrip.is_empty()
    {
        key.parts.push(part);
    }
}

/// Colons and control characters stand as `\xNN`.
fn unescape(text: &str) -> String {
    text.replace("\\x3a", ":")
}
