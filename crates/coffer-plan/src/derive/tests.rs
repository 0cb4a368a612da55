//! What a plan says about every part of a sandbox.

mod accounts;
mod credential;
mod denials;
mod environment;
mod identity;
mod network;
mod refusals;
mod sources;
mod state;
