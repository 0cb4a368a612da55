//! Reads the machine into `HostFacts`; decides nothing.
//!
//! [`base`] reads what every plan wants; [`look_up`] answers the [`Questions`] that data files, layers and
//! flags raise. No process is started but one `bwrap --version`, where the network tier depends on them the
//! tools that know the user's registries (their answers are cached), a container engine where it is the backend, and GnuPG
//! where its keys are granted. No secret
//! stays: of values outside the public list there is a label only. The one folder that is walked is the project, within
//! bounds.
//!
//! [`Questions`]: coffer_plan::facts::Questions
#![forbid(unsafe_code)]

mod agent;
mod bubblewrap;
mod cache;
mod cgroups;
mod config;
mod deferred;
mod engine;
mod environment;
mod error;
mod fixture;
mod git;
mod git_config;
mod inspect;
mod kernel;
mod key_agents;
mod login;
mod lookup;
mod machine;
mod mcp;
mod paths;
mod project;
mod read;
mod sandbox;
#[cfg(test)]
mod scratch;
mod search;
mod settings;
mod sockets;
mod subordinate;
mod tools;
mod user;
mod variable;

pub use agent::all_programs;
pub use config::{read_config, read_project_config, read_secret, read_secret_beneath};
pub use deferred::look_again;
pub use engine::{engine_variables, look_up_engine};
pub use error::HostError;
pub use fixture::{load, save};
pub use inspect::{Mounted, Owned, born_ms, lockable, may_write, mounts, owned, swaps};
pub use key_agents::gpg_public_keys;
pub use login::{host_login, login_in, login_of_account};
pub use lookup::look_up;
pub use machine::{Machine, base, now_ms};
pub use paths::look;
pub use sandbox::{FileInside, ProcessInside, Sandbox, identity, process_inside};
pub use search::program;
pub use subordinate::subordinate_uids;
pub use variable::variable;
