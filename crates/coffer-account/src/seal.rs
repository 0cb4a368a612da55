//! Sealing: what is kept for long is encrypted with `age` to one identity of this data folder.
//!
//! ```text
//! <data>/seal/
//!   recipient     the public half: sealing needs nothing else, so nothing asks anybody anything at night
//!   place.json    where the secret half is; written once, never changed by itself
//!   identity      the secret half, where no keyring answered at once
//!   lock          held while they are made
//! ```
//!
//! The secret half is in the keyring of the session (Secret Service) where one answers at once when it is
//! made, else in the key file. Which one it was is recorded, and from then on binding: a keyring that does not
//! answer is an error with a hint, never a reason for another place or a new identity, because everything
//! that was sealed before would be lost.

mod error;
pub mod keyring;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::iter::once;
use std::os::unix::fs::OpenOptionsExt;

use age::secrecy::{ExposeSecret, SecretString};
use age::x25519;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::private;
use crate::secret::Secret;

pub use error::SealError;
use keyring::Keyring;

const RECIPIENT: &str = "recipient";
const PLACE: &str = "place.json";
const IDENTITY: &str = "identity";
/// Largest of these files, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Largest sealed thing that is opened into memory, in bytes.
const MAX_OPENED: u64 = 4 * 1024 * 1024;
/// Format number of `place.json`.
const SCHEMA: u32 = 1;

/// Where the identity lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the keyring of the session.
    Keyring,
    /// In the file `identity` (0600).
    KeyFile,
}

impl Place {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Keyring => "the keyring of your session",
            Self::KeyFile => "a key file",
        }
    }
}

/// What is recorded about the identity; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Always 1.
    pub schema: u32,
    /// Where the secret half is.
    pub place: Place,
    /// The public half: `age1…`.
    pub recipient: String,
}

/// The folder of the identity below Cofferdam's data folder.
pub fn folder(data: &Utf8Path) -> Utf8PathBuf {
    data.join("seal")
}

/// The key file, where the identity is in one.
pub fn key_file(data: &Utf8Path) -> Utf8PathBuf {
    folder(data).join(IDENTITY)
}

/// What is recorded about the identity; `None` before the first need.
///
/// # Errors
/// When it is there and does not read.
pub fn recorded(data: &Utf8Path) -> Result<Option<Recorded>, SealError> {
    let path = folder(data).join(PLACE);
    let Some(text) = read(data, PLACE)? else { return Ok(None) };
    let broken = |reason: &str| SealError::Broken { path: path.clone(), reason: reason.to_owned() };
    let recorded: Recorded =
        serde_json::from_slice(text.expose()).map_err(|_| broken("it is not as this coffer writes it"))?;
    if recorded.schema != SCHEMA {
        return Err(broken("a newer coffer wrote it"));
    }
    Ok(Some(recorded))
}

/// Seals. It knows the public half alone.
#[derive(Clone)]
pub struct Seal {
    recipient: x25519::Recipient,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({})", self.recipient)
    }
}

impl Seal {
    /// The seal of this data folder; its identity is made on the first need.
    ///
    /// # Errors
    /// When its files cannot be read or written, or do not belong together.
    pub fn open_or_make(data: &Utf8Path) -> Result<Self, SealError> {
        Self::open_or_make_with(data, keyring::of_session().as_deref())
    }

    /// The same with this keyring, or with none.
    ///
    /// # Errors
    /// As [`Seal::open_or_make`].
    pub fn open_or_make_with(data: &Utf8Path, keyring: Option<&dyn Keyring>) -> Result<Self, SealError> {
        if let Some(seal) = Self::there(data)? {
            return Ok(seal);
        }
        let folder = folder(data);
        let failed = |action| {
            let path = folder.clone();
            move |source| SealError::Io { action, path, source }
        };
        private::folder(&folder).map_err(failed("make"))?;
        let _lock = lock(&folder.join("lock")).map_err(failed("lock"))?;
        // Somebody else has made it meanwhile, or was killed between the last two files.
        if let Some(seal) = Self::there(data)? {
            return Ok(seal);
        }
        if let Some(recorded) = recorded(data)? {
            let seal = Self::of_text(&recorded.recipient, &folder.join(PLACE))?;
            private::write(&folder, RECIPIENT, recorded.recipient.as_bytes())?;
            return Ok(seal);
        }
        let (place, recipient) = make(data, keyring)?;
        let text = recipient.to_string();
        let record = Recorded { schema: SCHEMA, place, recipient: text.clone() };
        let json = serde_json::to_vec_pretty(&record).map_err(|error| failed("write")(error.into()))?;
        private::write(&folder, PLACE, &json)?;
        private::write(&folder, RECIPIENT, text.as_bytes())?;
        Ok(Self { recipient })
    }

    fn there(data: &Utf8Path) -> Result<Option<Self>, SealError> {
        let Some(text) = read(data, RECIPIENT)? else { return Ok(None) };
        let path = folder(data).join(RECIPIENT);
        let text = String::from_utf8_lossy(text.expose()).trim().to_owned();
        Self::of_text(&text, &path).map(Some)
    }

    fn of_text(text: &str, path: &Utf8Path) -> Result<Self, SealError> {
        let recipient = text.parse::<x25519::Recipient>().map_err(|_| SealError::Broken {
            path: path.to_owned(),
            reason: "it holds no `age1…` recipient".to_owned(),
        })?;
        Ok(Self { recipient })
    }

    /// The public half: `age1…`.
    pub fn recipient(&self) -> String {
        self.recipient.to_string()
    }

    /// The public half, for whoever seals a stream.
    pub fn age_recipient(&self) -> &x25519::Recipient {
        &self.recipient
    }

    /// Seals. No keyring and nobody is asked.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let failed = |source| SealError::Seal { source };
        let encryptor = age::Encryptor::with_recipients(once(&self.recipient as &dyn age::Recipient))
            .map_err(|_| failed(std::io::Error::other("the recipient does not fit")))?;
        let mut sealed = Vec::with_capacity(plain.len() + 512);
        let mut writer = encryptor.wrap_output(&mut sealed).map_err(failed)?;
        writer.write_all(plain).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(sealed)
    }
}

/// Opens what was sealed. It holds the identity.
pub struct Opener {
    identity: x25519::Identity,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener")
    }
}

impl Opener {
    /// Reads the identity from where it is recorded to be.
    ///
    /// # Errors
    /// When nothing is recorded, or the keyring or the key file does not give the identity that belongs to the
    /// recipient. There is no other place to look, and none is made.
    pub fn of(data: &Utf8Path) -> Result<Self, SealError> {
        Self::of_with(data, keyring::of_session().as_deref())
    }

    /// The same with this keyring, or with none.
    ///
    /// # Errors
    /// As [`Opener::of`].
    pub fn of_with(data: &Utf8Path, keyring: Option<&dyn Keyring>) -> Result<Self, SealError> {
        let Some(recorded) = recorded(data)? else {
            return Err(SealError::NothingSealed { path: folder(data).join(PLACE) });
        };
        let text = match recorded.place {
            Place::KeyFile => {
                let missing = || SealError::IdentityMissing { path: key_file(data) };
                read(data, IDENTITY)?.ok_or_else(missing)?
            }
            Place::Keyring => {
                let silent = |reason| SealError::KeyringSilent { reason };
                let keyring = keyring.ok_or_else(|| silent("no session bus is named here".to_owned()))?;
                let found = keyring.get(&recorded.recipient).map_err(|error| silent(error.to_string()))?;
                found.ok_or(SealError::NotInKeyring)?
            }
        };
        let identity = identity_of(&text).ok_or(SealError::NoIdentity { place: recorded.place })?;
        let seal = Seal::there(data)?.map_or_else(|| recorded.recipient.clone(), |seal| seal.recipient());
        let own = identity.to_public().to_string();
        if own != seal || own != recorded.recipient {
            return Err(SealError::Mismatch { path: folder(data) });
        }
        Ok(Self { identity })
    }

    /// The identity, for whoever opens a stream.
    pub fn age_identity(&self) -> &x25519::Identity {
        &self.identity
    }

    /// Opens what was sealed to this identity.
    ///
    /// # Errors
    /// When it was sealed to another one, or is damaged.
    pub fn open(&self, sealed: &[u8]) -> Result<Secret, SealError> {
        let refused = |_| SealError::NotOurs;
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(refused)?;
        let reader = decryptor.decrypt(once(&self.identity as &dyn age::Identity)).map_err(refused)?;
        // Plain text is never longer than what was sealed, so that the buffer never moves.
        let mut plain = Vec::with_capacity(sealed.len());
        let read = reader.take(MAX_OPENED).read_to_end(&mut plain);
        let plain = Secret::new(plain);
        read.map_err(|_| SealError::Damaged)?;
        Ok(plain)
    }
}

/// Makes an identity and puts it into its place. One that a killed coffer left in the key file is taken.
fn make(data: &Utf8Path, keyring: Option<&dyn Keyring>) -> Result<(Place, x25519::Recipient), SealError> {
    if let Some(left) = read(data, IDENTITY)? {
        let identity = identity_of(&left).ok_or(SealError::NoIdentity { place: Place::KeyFile })?;
        return Ok((Place::KeyFile, identity.to_public()));
    }
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public();
    let text: SecretString = identity.to_string();
    if let Some(keyring) = keyring
        && keyring.put(&recipient.to_string(), text.expose_secret()).is_ok()
        // It is only trusted with what it can give back.
        && let Ok(Some(back)) = keyring.get(&recipient.to_string())
        && back.expose() == text.expose_secret().as_bytes()
    {
        return Ok((Place::Keyring, recipient));
    }
    private::write(&folder(data), IDENTITY, text.expose_secret().as_bytes())?;
    Ok((Place::KeyFile, recipient))
}

fn identity_of(text: &Secret) -> Option<x25519::Identity> {
    std::str::from_utf8(text.expose()).ok()?.trim().parse().ok()
}

fn read(data: &Utf8Path, name: &str) -> Result<Option<Secret>, SealError> {
    let folder = folder(data);
    let found = private::read(&folder, name, MAX_BYTES);
    let found =
        found.map_err(|unread| SealError::Read { path: folder.join(name), reason: unread.to_string() })?;
    Ok(found.map(|mut bytes| Secret::new(std::mem::take(&mut *bytes))))
}

fn lock(path: &Utf8Path) -> std::io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}
