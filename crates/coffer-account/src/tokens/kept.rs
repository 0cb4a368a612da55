//! Tokens of services: each stands for the same account under the same word for as long as somebody keeps it, and
//! ends by itself when nobody does any more.

use zeroize::Zeroizing;

use super::{MARK, Token, TokenHash, Tokens, TokensError, Wanted, Worth, hex, new_id};
use crate::secret::Secret;

/// What was done for a service's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is good for long enough.
    AsItWas,
    /// It ends later.
    Longer,
    /// It stands for what it did not stand for before.
    Anew,
}

impl Tokens {
    /// A word for a token.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn word() -> Result<Secret, TokensError> {
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *random).map_err(|_| TokensError::NoRandom)?;
        let digits = Zeroizing::new(hex(&*random));
        Ok(Secret::new([MARK.as_bytes(), digits.as_bytes()].concat()))
    }

    /// Has this word stand for what is wanted, for at least half of the time that is wanted. It was made after
    /// `since_ms`: a token that is older was trusted with something else of the same name. Other tokens with its label
    /// are taken away.
    ///
    /// # Errors
    /// When the file cannot be read or written; then all is as it was.
    pub fn keep(
        &self,
        word: &Secret,
        wanted: &Wanted,
        since_ms: i64,
        now_ms: i64,
    ) -> Result<(Token, Kept), TokensError> {
        let sha256 = TokenHash::of(word.expose());
        let stands = |token: &&Token| {
            token.sha256.is(&sha256)
                && token.label == wanted.label
                && token.account == wanted.account
                && token.network == wanted.network
                && token.allow == wanted.allow
                && token.created_at_ms >= since_ms
                && token.worth(now_ms) == Worth::Good
        };
        let others = |token: &Token| token.label == wanted.label && !token.sha256.is(&sha256);
        let half = now_ms.saturating_add(wanted.ttl_ms / 2);
        let known = self.read()?;
        if let Some(token) = known.iter().find(stands)
            && token.ends_at_ms >= half
            && !known.iter().any(others)
        {
            return Ok((token.clone(), Kept::AsItWas));
        }
        self.change(|tokens| {
            let before = tokens.iter().find(stands).cloned();
            tokens.retain(|token| !others(token) && !token.sha256.is(&sha256));
            let kept = if before.is_some() { Kept::Longer } else { Kept::Anew };
            let ends_at_ms = now_ms.saturating_add(wanted.ttl_ms);
            let token = match before {
                Some(token) => Token { ends_at_ms, ..token },
                None => Token {
                    id: new_id(tokens)?,
                    sha256,
                    label: wanted.label.clone(),
                    account: wanted.account.clone(),
                    network: wanted.network,
                    allow: wanted.allow.clone(),
                    created_at_ms: now_ms,
                    ends_at_ms,
                },
            };
            tokens.push(token.clone());
            Ok((token, kept))
        })
    }
}
