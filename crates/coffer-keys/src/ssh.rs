//! The agent protocol of OpenSSH (draft-ietf-sshm-ssh-agent): frames of a length, a kind and a body.
//!
//! The strings in a body are read by `ssh-encoding`. The crate with whole messages (`ssh-agent-lib`) is not used: its
//! frames have no bound but four gigabytes, and it reads keys into types, so that one key of a kind that it does not
//! know would hide all others.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};
use ssh_encoding::{Decode, Encode, Reader as _};

mod session;
#[cfg(test)]
mod tests;

pub(crate) use session::talk;

/// The longest frame, in bytes, as OpenSSH's own agent has it.
pub const MAX_FRAME: usize = 256 * 1024;

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION: u8 = 27;
const EXTENSION_FAILURE: u8 = 28;

/// The extension that ties a connection to a session with a server. Keys that are restricted to servers need it, and it
/// can only narrow what may be done on its connection.
const SESSION_BIND: &[u8] = b"session-bind@openssh.com";

/// The frame that says no.
pub(crate) const REFUSED: &[u8] = &[FAILURE];

/// A key that an agent has: public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public key as it goes over the wire.
    pub blob: Vec<u8>,
    /// What its owner called it.
    pub comment: Vec<u8>,
}

impl Identity {
    /// `SHA256:…`, as `ssh-add -l` shows it for plain keys.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }

    /// The name of its kind: `ssh-ed25519`, for one; empty when it does not read.
    pub fn kind(&self) -> String {
        let kind = Vec::<u8>::decode(&mut self.blob.as_slice()).unwrap_or_default();
        String::from_utf8(kind).unwrap_or_default()
    }
}

/// `SHA256:…` of a public key.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// What a sandbox asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The list of keys.
    List,
    /// A signature by this key, which is granted. The message is written anew.
    Sign {
        /// Its fingerprint.
        key: String,
        /// For the agent.
        message: Vec<u8>,
    },
    /// A signature by a key that is not granted.
    SignByOther {
        /// Its fingerprint.
        key: String,
    },
    /// The connection is tied to a session with a server. The message is written anew.
    Bind {
        /// For the agent.
        message: Vec<u8>,
    },
    /// Anything else: it is refused.
    Other,
}

impl Request {
    /// Reads one; `granted` are fingerprints.
    pub fn read(message: &[u8], granted: &BTreeSet<String>) -> Self {
        let Some((kind, mut body)) = message.split_first() else { return Self::Other };
        let read = match *kind {
            REQUEST_IDENTITIES => body.is_empty().then_some(Self::List),
            SIGN_REQUEST => sign(&mut body, granted),
            EXTENSION => bind(&mut body),
            _ => None,
        };
        read.unwrap_or(Self::Other)
    }

    /// What the agent is sent; `None` for what is answered here.
    pub fn forwarded(&self) -> Option<&[u8]> {
        match self {
            Self::List => Some(&[REQUEST_IDENTITIES]),
            Self::Sign { message, .. } | Self::Bind { message } => Some(message),
            Self::SignByOther { .. } | Self::Other => None,
        }
    }
}

fn sign(body: &mut &[u8], granted: &BTreeSet<String>) -> Option<Request> {
    let (blob, data) = (Vec::<u8>::decode(body).ok()?, Vec::<u8>::decode(body).ok()?);
    let flags = u32::decode(body).ok()?;
    if !body.is_finished() {
        return None;
    }
    let key = fingerprint(&blob);
    if !granted.contains(&key) {
        return Some(Request::SignByOther { key });
    }
    let mut message = vec![SIGN_REQUEST];
    blob.encode(&mut message).ok()?;
    data.encode(&mut message).ok()?;
    flags.encode(&mut message).ok()?;
    Some(Request::Sign { key, message })
}

fn bind(body: &mut &[u8]) -> Option<Request> {
    if Vec::<u8>::decode(body).ok()? != SESSION_BIND {
        return None;
    }
    let mut message = vec![EXTENSION];
    SESSION_BIND.encode(&mut message).ok()?;
    // The server's key, the session, the server's signature.
    for _ in 0..3 {
        Vec::<u8>::decode(body).ok()?.encode(&mut message).ok()?;
    }
    let is_forwarding = u8::decode(body).ok()?;
    if !body.is_finished() || is_forwarding > 1 {
        return None;
    }
    message.push(is_forwarding);
    Some(Request::Bind { message })
}

/// The keys in an agent's answer.
///
/// # Errors
/// When it is no such answer.
pub fn identities(answer: &[u8]) -> io::Result<Vec<Identity>> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let Some((&IDENTITIES_ANSWER, mut body)) = answer.split_first() else { return Err(bad()) };
    let count = u32::decode(&mut body).map_err(|_| bad())?;
    let mut out = Vec::new();
    for _ in 0..count {
        let blob = Vec::<u8>::decode(&mut body).map_err(|_| bad())?;
        let comment = Vec::<u8>::decode(&mut body).map_err(|_| bad())?;
        out.push(Identity { blob, comment });
    }
    if body.is_finished() { Ok(out) } else { Err(bad()) }
}

/// The answer with these keys.
fn answer_with(keys: &[Identity]) -> Option<Vec<u8>> {
    let mut out = vec![IDENTITIES_ANSWER];
    u32::try_from(keys.len()).ok()?.encode(&mut out).ok()?;
    for key in keys {
        key.blob.encode(&mut out).ok()?;
        key.comment.encode(&mut out).ok()?;
    }
    Some(out)
}

/// The agent's answer as the sandbox may have it; `None` when it is none to this request.
pub fn answer(request: &Request, said: &[u8], granted: &BTreeSet<String>) -> Option<Vec<u8>> {
    match request {
        Request::List => {
            let mut keys = identities(said).ok()?;
            keys.retain(|key| granted.contains(&key.fingerprint()));
            answer_with(&keys)
        }
        Request::Sign { .. } => (said.first() == Some(&SIGN_RESPONSE)).then(|| said.to_vec()),
        Request::Bind { .. } => {
            let plain = [[SUCCESS], [FAILURE], [EXTENSION_FAILURE]];
            plain.iter().any(|known| known == said).then(|| said.to_vec())
        }
        Request::SignByOther { .. } | Request::Other => None,
    }
}

/// Reads a frame; `None` at the end of the connection.
///
/// # Errors
/// When it is longer than [`MAX_FRAME`] (nothing of it is read then), empty, or cut off.
pub fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0_u8; 4];
    // The end may only come between two frames.
    if from.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..])?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = Vec::new();
    // It grows with what really comes.
    from.take(length as u64).read_to_end(&mut frame)?;
    if frame.len() == length { Ok(Some(frame)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Writes a frame.
///
/// # Errors
/// When it is too long, or nobody takes it.
pub fn write_frame(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= MAX_FRAME);
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    let mut frame = Vec::with_capacity(4 + message.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    to.write_all(&frame)
}

/// Asks an agent which keys it has.
///
/// # Errors
/// When it does not answer, or not as an agent would.
pub fn list(agent: &mut (impl Read + Write)) -> io::Result<Vec<Identity>> {
    write_frame(agent, &[REQUEST_IDENTITIES])?;
    let answer = read_frame(agent)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    identities(&answer)
}
