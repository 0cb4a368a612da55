//! Finds hosts and connects to them. Names are resolved here and nowhere else, and the address that was checked is
//! the one connected to.

mod ranges;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coffer_plan::host::{Endpoint, Host};
use hickory_resolver::TokioResolver;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::refusal::Refusal;
use crate::setup::{Ranges, Setup};

/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 8;
/// After this time the next address is tried beside those before it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// Where the system says which name servers it asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// After so long without a word the other side is asked whether it is still there, and so often, seconds.
const ALIVE_AFTER: Duration = Duration::from_secs(30);
const ALIVE_EVERY: Duration = Duration::from_secs(10);
const ALIVE_TIMES: u32 = 3;

/// Finds hosts and connects to them, for one thread.
pub struct Dialer {
    setup: Arc<Setup>,
    names: RefCell<Names>,
}

/// The system's name servers, as they were told last.
struct Names {
    told: Option<SystemTime>,
    /// Missing where the system says nothing of name servers.
    resolver: Option<TokioResolver>,
}

impl Names {
    fn read() -> Self {
        let system = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        Self { told: Self::told(), resolver: system.ok() }
    }

    /// When the system last said something. A laptop that goes to another network has other name servers there.
    fn told() -> Option<SystemTime> {
        std::fs::metadata(RESOLV_CONF).and_then(|metadata| metadata.modified()).ok()
    }
}

impl Dialer {
    /// With the system's resolver. To be called on the thread's runtime.
    pub fn new(setup: Arc<Setup>) -> Self {
        Self { setup, names: RefCell::new(Names::read()) }
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
        first_of(in_turn(addresses)).await.map_err(|error| unreachable(endpoint, error.to_string(), false))
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
        let resolver = {
            let mut names = self.names.borrow_mut();
            if names.told != Names::told() {
                *names = Names::read();
            }
            names.resolver.clone()
        };
        let resolver = resolver.ok_or_else(|| unresolved("this machine has no name servers".to_owned()))?;
        // With the dot no search domain is tried.
        let found = resolver.lookup_ip(format!("{name}.")).await;
        Ok(found.map_err(|error| unresolved(error.to_string()))?.iter().collect())
    }
}

/// The two families in turn: where one of them leads nowhere, the other is not far.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut out = Vec::new();
    for address in one {
        out.push(address);
        out.extend(other.next());
    }
    out.extend(other);
    out.truncate(MOST_ADDRESSES);
    out
}

/// The first of them that answers; each is given a head start over the next.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut trying = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    loop {
        if let Some(address) = addresses.next() {
            trying.spawn(connected(address));
        }
        let more = addresses.len() > 0;
        tokio::select! {
            tried = trying.join_next() => match tried {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => last = error,
                Some(Err(error)) => last = io::Error::other(error),
                None => return Err(last),
            },
            () = sleep(STAGGER), if more => {}
        }
    }
}

async fn connected(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // Whoever is gone without a word is missed some day.
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, ALIVE_AFTER)?;
    sockopt::set_tcp_keepintvl(&stream, ALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(&stream, ALIVE_TIMES)?;
    Ok(stream)
}

fn unreachable(endpoint: &Endpoint, reason: String, timed_out: bool) -> Refusal {
    Refusal::Unreachable { endpoint: endpoint.to_string(), reason, timed_out }
}
