//! Signing in: what a login file looks like, what that means, and which credential the
//! agent will use.

pub mod precedence;
pub mod shape;
pub mod verify;
pub mod withhold;
