//! Reads the machine into `HostFacts`; decides nothing.
#![forbid(unsafe_code)]
