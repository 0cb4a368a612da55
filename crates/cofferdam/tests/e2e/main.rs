//! Black-box tests of the built `coffer`: each with a home, XDG folders and a project of its own.
//!
//! - `signed_in`: the genuine CLI in the sandbox, against the practice API.
//! - `same_sandbox`: what is printed is what runs.
//! - `walls`, `repositories`: what the sandbox keeps apart, each with the same probe on the host as a control.
//! - `nestings`: the genuine CLI's own sandbox inside ours.
//! - `system_calls`, `second_wall`: what the kernel refuses an agent, and what Landlock holds when mounts do not.
//! - `deferred`: what the host would run later, everyday git in spite of that, and what is moved aside at the end.
//! - `refusals`, `sources`, `configs`, `disks`: bad input and missing tools.
//! - `surroundings`: containers, odd `/proc`s and full limits around `coffer`.
//! - `streams`, `reports`: exit codes, pipes, terminals, and what the other commands print.
//! - `keeping`: one refresh by the genuine client, for a person, for one run and for eight at once.
//! - `killings`, `serving`: `kill -9` at random instants of a refresh, and `coffer serve`.
//! - `lifetimes`: what ends with a run, what outlives it, and runs beside each other.
//! - `other_agents`: another vendor's CLI, a shell, and an agent of the user's own.
//! - `ledgers`, `statuses`, `doctors`: the record of what was done, what accounts are worth, and what is wrong.
//! - `engines`: container engines and buses of the host take a word of their own.
//! - `containers`: the same run in containers of podman and docker.
//! - `stacks`: files that work alone, with docker-compose.
//! - `gateways`: what a sandbox reaches, and how it is signed in by what it never sees.
//! - `alone`: `coffer gateway` in front of anything, and its tokens.
//! - `leaks`: variables, sockets and paths of the launcher that are not inside.
//! - `leaktests`: what of a login is inside, searched for with a canary, and leaks that are planted.
//! - `attacks`: every attack of the table in every tier, against a golden file.
//! - `keys`: the user's agents for SSH and GnuPG keys, behind their filters.
//! - `peers`: the same attacks on other sandboxes, for docs/compare.md.
//! - `registries`: what npm, pip and cargo install from in the tier `dev`.
//! - `accounts`: named accounts, what of them is inside and what is not.
//! - `logins`: signing in to an account and importing one, with every way to end it.
//! - `renewals`: a live run gets each newer token, and what was signed in inside waits.
//! - `named`: `coffer account`, and that no secret is in what it writes or says.
//! - `labs`: the experiments of `coffer lab`.
//! - `backups`: sealed copies and whole accounts, and what may be put back.
//! - `canaries`: no command, file or core dump holds a byte of what accounts hold.
//! - `strange`: accounts with odd files in them, and accounts of somebody else.
//! - `ordinary_user`: the core of it as an ordinary user, when root runs the tests.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod alone;
mod attacks;
mod backups;
mod canaries;
mod configs;
mod conformance;
mod containers;
mod copies;
mod deferred;
mod disks;
mod doctors;
mod engines;
mod gateways;
mod images;
mod keeping;
mod keys;
mod killings;
mod labs;
mod leaks;
mod leaktests;
mod ledgers;
mod lifetimes;
mod limits;
mod lists;
mod logins;
mod named;
mod nestings;
mod ordinary_user;
mod other_agents;
mod peers;
mod refusals;
mod registries;
mod renewals;
mod reports;
mod repositories;
mod same_sandbox;
mod second_wall;
mod serving;
mod signed_in;
mod sources;
mod stacks;
mod statuses;
mod strange;
mod streams;
mod support;
mod surroundings;
mod system_calls;
mod walls;
