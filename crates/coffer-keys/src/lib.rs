//! Filters in front of the user's agents for SSH and GnuPG keys.
//!
//! A sandbox talks to a filter, and the filter to the agent. What a sandbox says is read into a request that is known
//! and allowed, and only that is written anew for the agent: no byte of the sandbox's own reaches it but what such a
//! request has to carry (what is to be signed, what is to be decrypted). Everything else is answered here.
//!
//! - [`ssh`]: the agent protocol of OpenSSH, requests and answers.
//! - [`gpg`]: the lines of `gpg-agent`.
//! - [`serve`]: sockets, connections and their bounds; who is asked, and what is written down.
#![forbid(unsafe_code)]

pub mod gpg;
pub mod serve;
pub mod ssh;
