//! Config files as they are read, and layers as they are merged.

mod files;
mod layers;
mod project;
