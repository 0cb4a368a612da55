//! The keyring of the session, as far as the sealing identity needs one: the Secret Service on the session
//! bus, asked for one entry.
//!
//! A keyring that would have to ask a person first counts as one that does not answer: nobody may be there.
//! The value crosses the user's own session bus as it is (the `plain` session of the specification): whoever
//! can listen there can ask the keyring itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use zbus::blocking::{Connection, Proxy, connection};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How long the keyring may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
const SERVICE: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
/// Gone when the session ends: no place for what has to stay.
const TRANSIENT: &str = "/org/freedesktop/secrets/collection/session";
const LABEL: &str = "Cofferdam sealing identity";

/// Why a keyring did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No answer in time.
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    /// It is locked, and would ask a person.
    #[error("it is locked")]
    Locked,
    /// It has no collection that stays.
    #[error("it has no place that outlives the session")]
    NoCollection,
    /// The bus or the service said no.
    #[error("{0}")]
    Refused(String),
}

/// Keeps one secret text by a public name.
pub trait Keyring: Send + Sync {
    /// Puts it in, instead of one of the same name.
    ///
    /// # Errors
    /// When it does not answer at once, or would have to ask a person.
    fn put(&self, name: &str, secret: &str) -> Result<(), KeyringError>;
    /// Gives it back; `None` when it has none of this name.
    ///
    /// # Errors
    /// As [`Keyring::put`].
    fn get(&self, name: &str) -> Result<Option<Secret>, KeyringError>;
}

/// The keyring of the session; `None` where no session bus is named.
pub fn of_session() -> Option<Box<dyn Keyring>> {
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok().filter(|address| !address.is_empty())?;
    Some(Box::new(SecretService::at(address)))
}

/// The Secret Service on a bus.
#[derive(Debug, Clone)]
pub struct SecretService {
    address: Arc<str>,
}

impl SecretService {
    /// On the bus of this address.
    pub fn at(address: String) -> Self {
        Self { address: address.into() }
    }

    /// Does it on a thread, and waits no longer than [`PATIENCE`]: neither the bus nor the service can hold
    /// anybody up.
    fn bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let (sender, answer) = mpsc::channel();
        let address = Arc::clone(&self.address);
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            let builder = connection::Builder::address(&*address);
            let connection = builder.and_then(|builder| builder.method_timeout(PATIENCE).build());
            // Whoever asked may have given up.
            let _ = sender.send(connection.map_err(refused).and_then(|bus| work(&bus)));
        });
        drop(thread.map_err(|error| KeyringError::Refused(error.to_string()))?);
        answer.recv_timeout(PATIENCE).unwrap_or(Err(KeyringError::Silent))
    }
}

impl Keyring for SecretService {
    fn put(&self, name: &str, secret: &str) -> Result<(), KeyringError> {
        let (name, secret) = (name.to_owned(), Zeroizing::new(secret.to_owned()));
        self.bounded(move |bus| put(bus, &name, &secret))
    }

    fn get(&self, name: &str) -> Result<Option<Secret>, KeyringError> {
        let name = name.to_owned();
        self.bounded(move |bus| get(bus, &name))
    }
}

/// A secret as it crosses the bus: session, parameters, value, content type.
type Wire = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

fn put(bus: &Connection, name: &str, secret: &str) -> Result<(), KeyringError> {
    let service = proxy(bus, ROOT, "Service")?;
    let collection: OwnedObjectPath = service.call("ReadAlias", &("default")).map_err(refused)?;
    if matches!(collection.as_str(), "/" | TRANSIENT) {
        return Err(KeyringError::NoCollection);
    }
    let at = proxy(bus, collection.as_str(), "Collection")?;
    if at.get_property::<bool>("Locked").map_err(refused)? {
        return Err(KeyringError::Locked);
    }
    let properties = HashMap::from([
        ("org.freedesktop.Secret.Item.Label", Value::from(LABEL)),
        ("org.freedesktop.Secret.Item.Attributes", Value::from(attributes(name))),
    ]);
    let session = session(&service)?;
    let wire: Wire = (session, Vec::new(), secret.as_bytes().to_vec(), "text/plain".to_owned());
    let (_, prompt): (OwnedObjectPath, OwnedObjectPath) =
        at.call("CreateItem", &(properties, wire, true)).map_err(refused)?;
    if prompt.as_str() == "/" { Ok(()) } else { Err(KeyringError::Locked) }
}

fn get(bus: &Connection, name: &str) -> Result<Option<Secret>, KeyringError> {
    let service = proxy(bus, ROOT, "Service")?;
    let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
        service.call("SearchItems", &(attributes(name))).map_err(refused)?;
    let Some(item) = open.first() else {
        return if locked.is_empty() { Ok(None) } else { Err(KeyringError::Locked) };
    };
    let session = session(&service)?;
    let item = proxy(bus, item.as_str(), "Item")?;
    let (wire,): (Wire,) = item.call("GetSecret", &(&session)).map_err(refused)?;
    Ok(Some(Secret::new(wire.2)))
}

fn session(service: &Proxy<'_>) -> Result<OwnedObjectPath, KeyringError> {
    let (_, session): (OwnedValue, OwnedObjectPath) =
        service.call("OpenSession", &("plain", Value::from(""))).map_err(refused)?;
    Ok(session)
}

fn proxy<'a>(bus: &Connection, path: &'a str, interface: &str) -> Result<Proxy<'a>, KeyringError> {
    let path = ObjectPath::try_from(path).map_err(|error| KeyringError::Refused(error.to_string()))?;
    Proxy::new(bus, SERVICE, path, format!("org.freedesktop.Secret.{interface}")).map_err(refused)
}

fn attributes(name: &str) -> HashMap<String, String> {
    HashMap::from([
        ("application".to_owned(), "cofferdam".to_owned()),
        ("recipient".to_owned(), name.to_owned()),
    ])
}

/// The bus's or the service's words; they never hold the secret, which no error of theirs repeats.
fn refused(error: zbus::Error) -> KeyringError {
    match error {
        zbus::Error::MethodError(name, _, _) => KeyringError::Refused(name.to_string()),
        other => KeyringError::Refused(other.to_string()),
    }
}
