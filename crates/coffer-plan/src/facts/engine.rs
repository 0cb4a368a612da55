//! A container engine and an image of its, as its own command line tells them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::plan::BackendKind;

/// Variables of ours that tell an engine's program where its own things are. It gets no others: one that leads to
/// another machine would be a way around the look at which daemon it is.
pub const ENGINE_VARIABLES: &[&str] = &[
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_CONFIG",
    "HOME",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// A container engine, asked when it is the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFacts {
    /// Which.
    pub kind: BackendKind,
    /// Its program, symlinks followed; `None` when it is not on the PATH.
    pub program: Option<Utf8PathBuf>,
    /// The version of what makes the containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Words that lead the program to exactly this engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connection: Vec<String>,
    /// Whether it has no rights but the user's: uid 0 inside is the user then.
    #[serde(default)]
    pub rootless: bool,
    /// Whether its containers have other ids than the host unless told otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remaps_ids: bool,
    /// Resource controllers with which it can hold limits.
    #[serde(default)]
    pub controllers: Vec<String>,
    /// Whether SELinux labels its containers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub selinux: bool,
    /// Where this machine has something mounted: a writable folder of the host is shown with what is mounted in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounted: Vec<Utf8PathBuf>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFact>,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<EngineTrouble>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFact {
    /// The id of its configuration.
    pub id: String,
    /// The machine that it is for, as Go names it.
    pub architecture: String,
    /// Its environment.
    pub environment: BTreeMap<String, ImageVariable>,
    /// Folders that it declares to be volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Utf8PathBuf>,
    /// The agent in it and its version, if a label of ours tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
}

impl ImageFact {
    /// The value of a variable on the public list, if it is set to something.
    pub fn value(&self, name: &str) -> Option<&str> {
        match self.environment.get(name) {
            Some(ImageVariable::Value(value)) if !value.is_empty() => Some(value),
            Some(ImageVariable::Value(_) | ImageVariable::Set | ImageVariable::Secret) | None => None,
        }
    }
}

/// A variable of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageVariable {
    /// On the public list: its value.
    Value(String),
    /// Set to something that only a container's init learns.
    Set,
    /// It looks like a secret.
    Secret,
}

/// Why an engine cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineTrouble {
    /// It works on another machine, or in a virtual one: paths, sockets and ids would be that one's.
    Remote {
        /// Where.
        at: String,
        /// Who says so.
        by: String,
    },
    /// Nobody answers.
    Down {
        /// Its socket.
        at: String,
    },
    /// We may not talk to it.
    NotPermitted {
        /// Its socket.
        at: String,
    },
    /// The user has no ids to hand out.
    NoSubordinateIds,
    /// The program only looks like this engine.
    Imitation {
        /// What it is.
        of: String,
    },
    /// It says something else.
    Failed {
        /// What it was asked.
        asked: String,
        /// Its words.
        said: String,
    },
}
