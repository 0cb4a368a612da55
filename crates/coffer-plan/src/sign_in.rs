//! Signing in: what a login file looks like, what that means, and which credential the
//! agent will use.

/// The account that stands for the user's own login, used in place.
pub const OWN_ACCOUNT: &str = "host";

pub mod precedence;
pub mod shape;
pub mod verify;
pub mod withhold;
