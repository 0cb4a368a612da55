//! Bytes that may be secret: they cannot be printed, are wiped when dropped, and kept from being swapped out as far as
//! the user may (`coffer doctor` says where they may not).

use std::ops::Deref;

use coffer_sys::memory::keep_from_swap;
use zeroize::Zeroizing;

/// How much room a growing buffer has at least: that of most launches' options.
const LEAST: usize = 8 << 10;

/// Bytes that may be secret. There is no `Debug`, `Display`, `Clone` or `Serialize` for them.
#[derive(Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Adds bytes at the end. A grown buffer leaves its former one wiped.
    pub(crate) fn append(&mut self, more: &[u8]) {
        let length = self.0.len() + more.len();
        if length > self.0.capacity() {
            // Locked once and as a whole, before anything stands in it.
            let mut larger = Zeroizing::new(vec![0; (length * 2).max(LEAST)]);
            keep_from_swap(&larger);
            larger.clear();
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(more);
    }

    /// The buffer itself, for readers that fill it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        keep_from_swap(&bytes);
        Self(Zeroizing::new(bytes))
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretBytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        keep_from_swap(&bytes);
        Self(bytes)
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
