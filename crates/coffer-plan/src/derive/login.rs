//! Whether the login of the account that was chosen can be used, by the table of triggers.

use super::account::said;
use super::offers::HOST;
use crate::facts::HostFacts;
use crate::origin::Origin;
use crate::plan::{AuthMode, Note, PlanError};
use crate::policy::Policy;
use crate::sign_in::shape::LoginShape;
use crate::sign_in::verify::{
    Cause, ENDING_MS, Finding, OnRun, RefusedBefore, Seen, Verdict, Verified, verify,
};

/// A login that can be used.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    pub(super) notes: Vec<Note>,
    /// Whether it has to be renewed before the start.
    pub(super) renews: bool,
    /// What the user has to agree to first.
    pub(super) asks: Option<String>,
}

/// What the login of the account that was chosen is worth; `None` for agents without login files.
pub fn verified(policy: &Policy, facts: &HostFacts) -> Option<Verified> {
    let login = facts.login.as_ref()?;
    let account = facts.account.as_ref().filter(|account| account.name == policy.account.value);
    let refused = account.and_then(|account| account.refused.as_ref());
    Some(verify(&Seen {
        shape: &login.shape,
        place: login.place(facts.user.uid),
        marker_matches: account.and_then(|account| account.marker_matches),
        refused: refused
            .map(|refused| RefusedBefore { fingerprint: &refused.fingerprint, because: refused.because }),
        demanded_scopes: &policy.scopes,
        now_ms: facts.now_ms,
    }))
}

/// Whether the login can be used, and what has to be said about it.
pub(super) fn judge(policy: &Policy, facts: &HostFacts) -> Result<Judged, PlanError> {
    let (Some(verified), Some(login)) = (verified(policy, facts), &facts.login) else {
        return Ok(Judged::default());
    };
    let account = policy.account.value.as_str();
    let refuse = |finding: &Finding| {
        let (file, reason) = (login.file.clone(), finding.text.clone());
        let mend = finding.cause.hint(account, &policy.agent).unwrap_or_else(|| "`coffer status`".to_owned());
        match finding.cause {
            Cause::Ended => PlanError::LoginEnding { file, reason, mend },
            _ => PlanError::LoginUnusable { file, reason, mend },
        }
    };
    let stops = |finding: &&Finding| finding.cause.meaning().run == OnRun::Stops;
    if let Some(finding) = verified.findings.iter().find(stops) {
        return Err(refuse(finding));
    }
    let mut out = Judged::default();
    if policy.auth.value == AuthMode::Lease && verified.verdict == Verdict::Expiring {
        let words = time_left(&login.shape, facts.now_ms);
        if !verified.renewable {
            let text = format!("the access token {words}, and there is no refresh token");
            return Err(refuse(&Finding { cause: Cause::Ended, text }));
        }
        let text = format!("the access token {words}: the keeper renews it before the start");
        out.notes.push(Note { text, origin: Origin::built_in("keeper") });
        out.renews = true;
    }
    for finding in &verified.findings {
        match finding.cause.meaning().run {
            OnRun::GoesOn | OnRun::GoesOnWithout | OnRun::Stops => {}
            OnRun::SaysSo => out.notes.push(said(finding, account, &policy.agent)),
            OnRun::Tightens if account == HOST => {
                let mend = finding.cause.hint(account, &policy.agent).unwrap_or_default();
                out.asks = Some(format!("{} ({mend} mends it)", finding.text));
            }
            OnRun::Tightens => {
                let text = format!("{}; it is tightened before the start", finding.text);
                out.notes.push(Note { text, origin: Origin::built_in("keeper") });
            }
        }
    }
    Ok(out)
}

fn time_left(shape: &LoginShape, now_ms: i64) -> String {
    let end = shape.details().and_then(|details| details.expires_at_ms).unwrap_or(now_ms);
    match end.saturating_sub(now_ms) / 1000 {
        left if left > 0 => format!("ends in {left} s, within the last {} min", ENDING_MS / 60_000),
        gone => format!("ended {} s ago", gone.saturating_neg()),
    }
}
