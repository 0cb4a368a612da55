//! Pictures of a plan: the audit for people, a table of what is granted, JSON for programs, the difference to an earlier one.

pub mod access;
pub mod audit;
pub mod diff;
pub mod json;
