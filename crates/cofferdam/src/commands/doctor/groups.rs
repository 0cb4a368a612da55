//! The checks, one file for each group.

pub(super) mod login;
pub(super) mod machine;
pub(super) mod own;
pub(super) mod place;
pub(super) mod settings;
