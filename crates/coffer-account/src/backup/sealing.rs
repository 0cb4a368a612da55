//! To whom a backup is sealed, and who opens it.
//!
//! SSH keys of the kind `ssh-rsa` are refused, both ways: the crate that would use them has an open advisory
//! about the timing of what it does with private keys.

use std::io::{BufRead, BufReader, Read, Write};
use std::iter::once;

use age::secrecy::SecretString;
use age::stream::{StreamReader, StreamWriter};
use camino::Utf8Path;

use super::BackupError;
use crate::seal::{Opener, Seal};
use crate::secret::Secret;

/// Largest file of recipients or identities, in bytes.
const MAX_KEYS: u64 = 256 * 1024;

/// To whom a backup is sealed.
pub enum Recipients {
    /// To each of these.
    Keys(Vec<Box<dyn age::Recipient + Send>>),
    /// To whoever knows this.
    Passphrase(SecretString),
}

impl Recipients {
    /// To the own identity alone.
    pub fn own(seal: &Seal) -> Self {
        Self::Keys(vec![Box::new(seal.age_recipient().clone())])
    }

    /// To the own identity and to these: `age1…`, `ssh-ed25519 …`, or a file with one in each line.
    ///
    /// # Errors
    /// When one is neither.
    pub fn also(seal: &Seal, texts: &[String]) -> Result<Self, BackupError> {
        let mut keys: Vec<Box<dyn age::Recipient + Send>> = vec![Box::new(seal.age_recipient().clone())];
        for text in texts {
            if is_recipient(text) {
                keys.push(recipient(text)?);
                continue;
            }
            let failed =
                |source| BackupError::Io { action: "read recipients from", path: text.into(), source };
            let mut lines = String::new();
            let file = std::fs::File::open(text).map_err(failed)?;
            file.take(MAX_KEYS).read_to_string(&mut lines).map_err(failed)?;
            let before = keys.len();
            for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                keys.push(recipient(line)?);
            }
            if keys.len() == before {
                return Err(BackupError::Recipient { text: text.clone(), reason: "the file names none" });
            }
        }
        Ok(Self::Keys(keys))
    }

    /// To whoever knows this passphrase.
    pub fn passphrase(secret: &Secret) -> Self {
        Self::Passphrase(passphrase(secret))
    }

    /// A writer that seals.
    pub(super) fn seal<W: Write>(&self, out: W) -> Result<StreamWriter<W>, BackupError> {
        let encryptor = match self {
            Self::Passphrase(passphrase) => age::Encryptor::with_user_passphrase(passphrase.clone()),
            Self::Keys(keys) => {
                let keys = keys.iter().map(|key| -> &dyn age::Recipient { &**key });
                age::Encryptor::with_recipients(keys)
                    .map_err(|_| std::io::Error::other("these recipients do not go together"))?
            }
        };
        Ok(encryptor.wrap_output(out)?)
    }
}

fn passphrase(secret: &Secret) -> SecretString {
    SecretString::from(String::from_utf8_lossy(secret.expose()).into_owned())
}

fn is_recipient(text: &str) -> bool {
    text.starts_with("age1") || text.starts_with("ssh-")
}

fn recipient(text: &str) -> Result<Box<dyn age::Recipient + Send>, BackupError> {
    let refused = |reason| BackupError::Recipient { text: text.to_owned(), reason };
    if text.starts_with("ssh-") {
        if !text.starts_with("ssh-ed25519 ") {
            return Err(refused("of SSH keys only `ssh-ed25519` are taken"));
        }
        let key: age::ssh::Recipient = text.parse().map_err(|_| refused("it does not read"))?;
        return Ok(Box::new(key));
    }
    let key: age::x25519::Recipient = text.parse().map_err(|_| refused("it does not read"))?;
    Ok(Box::new(key))
}

/// Who opens a backup.
pub enum Identities {
    /// One of these.
    Keys(Vec<Box<dyn age::Identity>>),
    /// Whoever knows this.
    Passphrase(SecretString),
}

impl Identities {
    /// The own identity.
    pub fn own(opener: &Opener) -> Self {
        Self::Keys(vec![Box::new(opener.age_identity().clone())])
    }

    /// Those in a file: `age` identities, or one SSH key of the kind `ssh-ed25519` without passphrase.
    ///
    /// # Errors
    /// When it holds none.
    pub fn file(path: &Utf8Path) -> Result<Self, BackupError> {
        let failed = |source| BackupError::Io { action: "read", path: path.to_owned(), source };
        let refused = |reason| BackupError::Identity { path: path.to_owned(), reason };
        let mut text = zeroize::Zeroizing::new(String::with_capacity(64 * 1024));
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_KEYS).read_to_string(&mut text).map_err(failed)?;
        if text.starts_with("-----BEGIN") {
            let key = age::ssh::Identity::from_buffer(text.as_bytes(), None);
            let key = key.map_err(|_| refused("it does not read"))?;
            if matches!(key, age::ssh::Identity::Encrypted(_)) {
                return Err(refused("it has a passphrase of its own"));
            }
            let public = age::ssh::Recipient::try_from(key.clone());
            return match public {
                Ok(age::ssh::Recipient::SshEd25519(..)) => Ok(Self::Keys(vec![Box::new(key)])),
                Ok(_) | Err(_) => Err(refused("of SSH keys only `ssh-ed25519` are taken")),
            };
        }
        let mut keys: Vec<Box<dyn age::Identity>> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let key: age::x25519::Identity = line.parse().map_err(|_| refused("it does not read"))?;
            keys.push(Box::new(key));
        }
        if keys.is_empty() { Err(refused("it is empty")) } else { Ok(Self::Keys(keys)) }
    }

    /// Whoever knows this passphrase.
    pub fn passphrase(secret: &Secret) -> Self {
        Self::Passphrase(passphrase(secret))
    }

    /// A reader that opens.
    pub(super) fn open<R: Read>(&self, input: R) -> Result<StreamReader<BufReader<R>>, BackupError> {
        let mut input = BufReader::with_capacity(128 * 1024, input);
        // Asked here, because the parser takes an empty input for one that is cut.
        if input.fill_buf().map_err(BackupError::Damaged)?.is_empty() {
            return Err(BackupError::NotOurs);
        }
        let decryptor = age::Decryptor::new_buffered(input).map_err(|_| BackupError::NotOurs)?;
        let opened = match (self, decryptor.is_scrypt()) {
            (Self::Keys(_), true) => return Err(BackupError::NeedsPassphrase),
            (Self::Passphrase(_), false) => return Err(BackupError::NotOurs),
            (Self::Passphrase(passphrase), true) => {
                let identity = age::scrypt::Identity::new(passphrase.clone());
                decryptor.decrypt(once(&identity as &dyn age::Identity))
            }
            (Self::Keys(keys), false) => {
                decryptor.decrypt(keys.iter().map(|key| -> &dyn age::Identity { &**key }))
            }
        };
        opened.map_err(|_| BackupError::NotOurs)
    }
}
