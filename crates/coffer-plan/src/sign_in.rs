//! Signing in: what a login file looks like, and which credential the agent will use.

pub mod shape;
