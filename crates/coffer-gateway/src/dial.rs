//! Finds hosts and connects to them. Names are resolved here and nowhere else, and the address that was checked is
//! the one connected to.

use std::io;
use std::sync::Arc;

use coffer_plan::host::Endpoint;
use tokio::net::TcpStream;

use crate::refusal::Refusal;
use crate::setup::{Ranges, Setup};

/// Finds hosts and connects to them, for one thread.
pub struct Dialer {
    setup: Arc<Setup>,
}

impl Dialer {
    /// With the system's resolver. To be called on the thread's runtime.
    ///
    /// # Errors
    /// When the system's configuration of names cannot be read.
    pub fn new(setup: Arc<Setup>) -> io::Result<Self> {
        Ok(Self { setup })
    }

    /// Connects, with the time and the ranges in mind.
    ///
    /// # Errors
    /// When the name is not known, leads where it must not, or nobody answers.
    pub async fn connect(&self, endpoint: &Endpoint, ranges: Ranges) -> Result<TcpStream, Refusal> {
        let _ = (&self.setup, endpoint, ranges);
        todo!()
    }
}
