//! Pictures of a plan: the audit for people, JSON for programs, the difference to an earlier one.

pub mod audit;
pub mod diff;
pub mod json;
