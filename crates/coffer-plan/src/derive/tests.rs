//! What a plan says about every part of a sandbox.

mod accounts;
mod credential;
mod deferred;
mod denials;
mod environment;
mod identity;
mod network;
mod refusals;
mod sources;
mod state;
