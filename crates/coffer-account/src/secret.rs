//! Secrets: types that cannot be printed, compared or serialized, are wiped when dropped, and kept from being swapped
//! out as far as the user may (`coffer doctor` says where they may not).

use std::fmt;

use coffer_sys::memory::keep_from_swap;
use zeroize::Zeroizing;

/// Secret bytes. `Debug` shows that there is one and nothing of it; there is no `Display`, `Clone` or
/// `Serialize`, so a plan, an event or a message cannot hold one:
///
/// ```compile_fail
/// #[derive(serde::Serialize)]
/// struct Plan {
///     credential: coffer_account::secret::Secret,
/// }
/// ```
///
/// ```compile_fail
/// fn log(secret: &coffer_account::secret::Secret) -> String {
///     format!("{secret}")
/// }
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        keep_from_swap(&bytes);
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who hands them on.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Hands the bytes on; they are still wiped when dropped.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
