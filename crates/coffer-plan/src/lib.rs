//! The pure plan: host facts and config in, a checked plan and its pictures out.
//!
//! Nothing here reads a file, the environment, the clock, a process or the network (clippy.toml of
//! this crate bans it). Data goes one way:
//!
//! ```text
//! config layers + HostFacts -> Policy -> Plan -> check -> (show | lowering in coffer-launch)
//! ```
#![forbid(unsafe_code)]

pub mod agent;
pub mod built_in;
pub mod check;
pub mod config;
pub mod deferred;
pub mod derive;
pub mod explain;
pub mod facts;
#[cfg(test)]
mod fixture;
pub mod git_config;
pub mod host;
pub mod image;
pub mod landlock;
pub mod origin;
pub mod path;
pub mod plan;
pub mod policy;
pub mod show;
pub mod sign_in;
pub mod sockets;
pub mod stack;
pub mod tool;
