//! What it would mean to put a copy back.

use coffer_account::login_file::LoginFile;

#[cfg(test)]
mod tests;

/// What is known when a copy is to be put back.
pub(super) struct Known<'a> {
    /// The copy.
    pub(super) copy: &'a LoginFile,
    /// What is in its place now.
    pub(super) present: Option<&'a LoginFile>,
    /// The token that grew from the copy's, if one did.
    pub(super) successor: Option<&'a str>,
    /// The token that the server has refused for good.
    pub(super) refused: Option<&'a str>,
    /// The wall clock, Unix ms.
    pub(super) now_ms: i64,
}

/// What it would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing that works is replaced, and nothing spent comes back.
    Harmless(&'static str),
    /// A person has to know.
    Asks(&'static str),
    /// It would only do harm.
    Refused(&'static str),
}

impl Known<'_> {
    /// Whether what is there signs in.
    fn present_works(&self) -> bool {
        let Some(details) = self.present.and_then(LoginFile::details) else { return false };
        if !details.refresh_token {
            return details.expires_at_ms.is_none_or(|end| end > self.now_ms);
        }
        details.fingerprint.as_deref() != self.refused || self.refused.is_none()
    }

    pub(super) fn judge(&self) -> Standing {
        let own = self.copy.fingerprint();
        let same = own.is_some() && own == self.present.and_then(LoginFile::fingerprint);
        match (self.successor, self.present_works()) {
            _ if same => Standing::Harmless("it is the same login as the present one"),
            (Some(_), true) => {
                Standing::Refused("its refresh token was spent: the present login grew from it, and works")
            }
            (Some(_), false) => {
                Standing::Asks("its refresh token was spent already; the server will most likely refuse it")
            }
            (None, _) if own.is_some() && own == self.refused => {
                Standing::Asks("the server has refused it for good before")
            }
            (None, true) => {
                Standing::Asks("the present login works, and gives way to it (it is sealed first)")
            }
            (None, false) => Standing::Harmless("there is no login that works in its place"),
        }
    }
}
