//! The gateway: what stands between a sandbox and everybody else.
//!
//! A request goes one way: listen ([`serve`]) → authorize → route → inject → forward → respond. Behind each listening
//! socket is one [`Door`](setup::Door): the forward proxy, by which a sandbox reaches the hosts that it may reach; the
//! API, where the credential is put in; a single service of the host. One place turns what went wrong into HTTP
//! ([`refusal`]), and one writes down what was decided ([`record`]).
//!
//! A gateway that stands alone ([`alone`]) has one kind of socket for both, and asks for a token.
//!
//! Whoever can reach a listening socket inside a run's network namespace is in that run: the socket is made there by
//! `coffer-init` and handed over, so that nobody else's traffic can come by it.
#![forbid(unsafe_code)]

pub mod alone;
pub mod api;
pub mod body;
pub mod connect;
mod crew;
pub mod dial;
mod headers;
mod pool;
pub mod proxy;
pub mod record;
pub mod refusal;
pub mod serve;
pub mod setup;
mod tunnel;
