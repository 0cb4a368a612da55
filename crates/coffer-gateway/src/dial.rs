//! To a host: its name is resolved here and nowhere else, and the address that was checked is the one connected to.
