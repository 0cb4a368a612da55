//! The keeper against a made-up server and a made-up client that ends in every way.

mod crashes;
mod endings;
mod world;
