//! What the layers say about the user's keys, and about sockets that are the machine itself.

use serde::{Deserialize, Deserializer};

use crate::origin::{Decided, Origin};

use super::file::Settings;

/// Which keys of an agent may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChoice {
    /// None.
    None,
    /// Those that it has when the plan is made.
    All,
    /// Those that a filter names.
    Only(Vec<String>),
}

impl KeyChoice {
    /// From `--ssh-agent[=FILTER]`, given any number of times; an empty one stands for all.
    pub fn from_flags(filters: &[String]) -> Option<Self> {
        match filters {
            [] => None,
            filters if filters.iter().any(String::is_empty) => Some(Self::All),
            filters => Some(Self::Only(filters.to_vec())),
        }
    }
}

/// `true`, `false`, or a list of filters.
impl<'de> Deserialize<'de> for KeyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false or a list of keys")]
        enum Written {
            Switch(bool),
            Filters(Vec<String>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Switch(true) => Self::All,
            Written::Switch(false) => Self::None,
            Written::Filters(filters) if filters.is_empty() => Self::None,
            Written::Filters(filters) => Self::Only(filters),
        })
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDecisions {
    /// SSH keys.
    pub ssh: Decided<KeyChoice>,
    /// GnuPG keys.
    pub gpg: Decided<KeyChoice>,
    /// Whether GnuPG keys may decrypt, too.
    pub gpg_decrypt: Decided<bool>,
    /// Whether a person is asked each time.
    pub confirm: Decided<bool>,
    /// Whether a container engine of the host may be shown.
    pub container_engine: Decided<bool>,
}

impl KeyDecisions {
    /// Nothing is granted.
    pub fn none() -> Self {
        let default = || Origin::built_in("default");
        Self {
            ssh: Decided::new(KeyChoice::None, default()),
            gpg: Decided::new(KeyChoice::None, default()),
            gpg_decrypt: Decided::new(false, default()),
            confirm: Decided::new(false, default()),
            container_engine: Decided::new(false, default()),
        }
    }

    /// Applies a layer that a person or the product wrote.
    pub(super) fn apply(&mut self, settings: &Settings, origin: impl Fn(&str) -> Origin) {
        fn set<T: Clone>(slot: &mut Decided<T>, value: Option<&T>, origin: Origin) {
            if let Some(value) = value {
                *slot = Decided::new(value.clone(), origin);
            }
        }
        set(&mut self.ssh, settings.ssh_agent.as_ref(), origin("ssh_agent"));
        set(&mut self.gpg, settings.gpg_agent.as_ref(), origin("gpg_agent"));
        set(&mut self.gpg_decrypt, settings.gpg_agent_decrypt.as_ref(), origin("gpg_agent_decrypt"));
        set(&mut self.confirm, settings.confirm_keys.as_ref(), origin("confirm_keys"));
        let engine = settings.allow_container_engine.as_ref();
        set(&mut self.container_engine, engine, origin("allow_container_engine"));
    }

    /// Applies a project's own file that nobody trusted; what it asks for is proposed.
    pub(super) fn tighten(
        &mut self,
        settings: &Settings,
        origin: impl Fn(&str) -> Origin,
        propose: &mut impl FnMut(&str, String),
    ) {
        let choices = [
            ("ssh_agent", "SSH", settings.ssh_agent.as_ref(), &mut self.ssh),
            ("gpg_agent", "GnuPG", settings.gpg_agent.as_ref(), &mut self.gpg),
        ];
        for (key, title, choice, slot) in choices {
            let flag = key.replace('_', "-");
            match choice {
                Some(KeyChoice::None) => *slot = Decided::new(KeyChoice::None, origin(key)),
                Some(KeyChoice::All) => propose(key, format!("your {title} keys (`--{flag}`)")),
                Some(KeyChoice::Only(filters)) => {
                    propose(key, format!("your {title} keys {} (`--{flag}=KEY`)", filters.join(", ")));
                }
                None => {}
            }
        }
        match settings.gpg_agent_decrypt {
            Some(true) => propose(
                "gpg_agent_decrypt",
                "decryption by your GnuPG keys (`--gpg-agent-decrypt`)".to_owned(),
            ),
            Some(false) => self.gpg_decrypt = Decided::new(false, origin("gpg_agent_decrypt")),
            None => {}
        }
        match settings.confirm_keys {
            Some(true) => self.confirm = Decided::new(true, origin("confirm_keys")),
            Some(false) => propose("confirm_keys", "that nobody is asked before a key is used".to_owned()),
            None => {}
        }
    }
}
