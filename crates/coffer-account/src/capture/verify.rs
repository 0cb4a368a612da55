//! Whether what was captured may be adopted.

use std::os::fd::BorrowedFd;

use coffer_plan::sign_in::shape::{self, LoginDetails, LoginShape};
use coffer_plan::sign_in::verify::{Place, Seen, Verdict, verify};
use zeroize::Zeroizing;

use super::{CaptureError, MAX_JSON_BYTES, Rules};
use crate::read::{self, Unread};

/// What the login says, if it is one that can be kept.
pub(super) fn login(bytes: &[u8], rules: &Rules, now_ms: i64) -> Result<LoginDetails, CaptureError> {
    let shape = shape::read(bytes);
    let details = match &shape {
        LoginShape::Login(details) => details.clone(),
        LoginShape::Missing | LoginShape::SignedOut => {
            return Err(CaptureError::NoLogin { found: "the login file holds none".to_owned() });
        }
        LoginShape::Unreadable { error } => return Err(CaptureError::NoLogin { found: error.clone() }),
        LoginShape::Unusable { reason } => return Err(CaptureError::Unfit { found: reason.clone() }),
    };
    let seen = Seen {
        shape: &shape,
        // It becomes a file of ours, whatever it was before.
        place: Place { own_uid: 0, file: None, folder: None, leads_out: false },
        marker_matches: None,
        refused: None,
        demanded_scopes: &rules.scopes,
        now_ms,
    };
    let verified = verify(&seen);
    if matches!(verified.verdict, Verdict::LoginNeeded | Verdict::Expired) {
        let found = verified.findings.first().map(|finding| finding.text.clone()).unwrap_or_default();
        return Err(CaptureError::Unfit { found });
    }
    if details.refresh_token { Ok(details) } else { Err(CaptureError::NoRefreshToken) }
}

/// Whether the files of a state that have to be JSON are; the one that names an address.
pub(super) fn state(
    state: BorrowedFd<'_>,
    rules: &Rules,
) -> Result<Option<Zeroizing<Vec<u8>>>, CaptureError> {
    let mut address = None;
    for file in &rules.json_files {
        let broken = |found: String| CaptureError::StateBroken { file: file.clone(), found };
        let content = match read::file(state, file, MAX_JSON_BYTES) {
            Ok(found) => found.content,
            Err(Unread::Missing) => continue,
            Err(unread) => return Err(broken(format!("cannot be used: {unread}"))),
        };
        match serde_json::from_slice::<serde_json::Value>(&content) {
            Ok(serde_json::Value::Object(_)) => {}
            Ok(_) | Err(_) => return Err(broken("is no JSON object".to_owned())),
        }
        if rules.address_file.as_ref() == Some(file) {
            address = Some(content);
        }
    }
    Ok(address)
}
