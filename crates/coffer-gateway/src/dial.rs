//! Finds hosts and connects to them. Names are resolved here and nowhere else, and the address that was checked is
//! the one connected to.

mod ranges;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use coffer_plan::host::{Endpoint, Host};
use hickory_resolver::TokioResolver;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::refusal::Refusal;
use crate::setup::{Ranges, Setup};

/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;

/// Finds hosts and connects to them, for one thread.
pub struct Dialer {
    setup: Arc<Setup>,
    /// Missing where the system says nothing of name servers.
    resolver: Option<TokioResolver>,
}

impl Dialer {
    /// With the system's resolver. To be called on the thread's runtime.
    pub fn new(setup: Arc<Setup>) -> Self {
        let system = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        Self { setup, resolver: system.ok() }
    }

    /// Connects, with the time and the ranges in mind.
    ///
    /// # Errors
    /// When the name is not known, leads where it must not, or nobody answers.
    pub async fn connect(&self, endpoint: &Endpoint, ranges: Ranges) -> Result<TcpStream, Refusal> {
        let late = || unreachable(endpoint, "nobody answered in time".to_owned(), true);
        timeout(self.setup.limits.connect_time, self.try_connect(endpoint, ranges))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn try_connect(&self, endpoint: &Endpoint, ranges: Ranges) -> Result<TcpStream, Refusal> {
        let addresses = match self.setup.overrides.get(&endpoint.host) {
            Some(addresses) => addresses.clone(),
            None => self.addresses(endpoint, ranges).await?,
        };
        let mut last = unreachable(endpoint, "its name has no address".to_owned(), false);
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            match connected(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = unreachable(endpoint, error.to_string(), false),
            }
        }
        Err(last)
    }

    /// The addresses of a host that may be connected to.
    async fn addresses(&self, endpoint: &Endpoint, ranges: Ranges) -> Result<Vec<SocketAddr>, Refusal> {
        let all = match &endpoint.host {
            Host::Address(address) => vec![*address],
            Host::Name(_) if endpoint.host.is_loopback() => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Host::Name(name) => self.resolve(name).await?,
        };
        let may = |address: &&IpAddr| ranges::kind(**address).ranges <= ranges;
        let usable: Vec<SocketAddr> =
            all.iter().filter(may).map(|address| SocketAddr::new(*address, endpoint.port)).collect();
        match (usable.is_empty(), all.first()) {
            (true, Some(address)) => Err(Refusal::PrivateAddress {
                endpoint: endpoint.to_string(),
                address: *address,
                range: ranges::kind(*address).name,
                hint: self.how_to_allow(endpoint, *address),
            }),
            (true, None) | (false, _) => Ok(usable),
        }
    }

    /// What lies on this machine or its link is granted by its address alone.
    fn how_to_allow(&self, endpoint: &Endpoint, address: IpAddr) -> String {
        match ranges::kind(address).ranges {
            Ranges::Public | Ranges::Private => self.setup.how_to_allow(endpoint),
            Ranges::Any => {
                self.setup.how_to_allow(&Endpoint { host: Host::Address(address), port: endpoint.port })
            }
        }
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        let unresolved = |reason: String| Refusal::Unresolved { host: name.to_owned(), reason };
        let resolver = self.resolver.as_ref();
        let resolver = resolver.ok_or_else(|| unresolved("this machine has no name servers".to_owned()))?;
        // With the dot no search domain is tried.
        let found = resolver.lookup_ip(format!("{name}.")).await;
        Ok(found.map_err(|error| unresolved(error.to_string()))?.iter().collect())
    }
}

async fn connected(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(endpoint: &Endpoint, reason: String, timed_out: bool) -> Refusal {
    Refusal::Unreachable { endpoint: endpoint.to_string(), reason, timed_out }
}
