//! The workspace's chores: checks that clippy cannot make, and generated reference pages.
fn main() {}
