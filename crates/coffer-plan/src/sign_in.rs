//! Signing in: what a login file looks like, and which credential the agent will use.

pub mod precedence;
pub mod shape;
pub mod withhold;
