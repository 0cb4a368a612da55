//! The only unsafe code: system calls behind safe functions.
//!
//! Where `rustix` has a safe function, callers use it directly; what stands here is what it lacks, and the
//! protocol that both ends of a run's control socket share.

pub mod attempts;
pub mod confine;
pub mod control;
pub mod descriptors;
pub mod guards;
pub mod keyring;
pub mod landlock;
pub mod memory;
pub mod mountinfo;
pub mod overlay;
pub mod process;
pub mod signals;
