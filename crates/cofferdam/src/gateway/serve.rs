//! The gateway's own process.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use coffer_account::secret::Secret;
use coffer_gateway::serve::{Socket, serve};
use coffer_gateway::setup::{
    Capability, Door, Injection, Inside, Keyholder as _, Limits, Reach, Rule, Setup, Upstream,
};
use coffer_launch::launch::{Allow, Gateway};
use coffer_launch::run::{NO_PROCESS_LEFT, Resolve as _};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::DoorKind;
use coffer_sys::control::{Channel, FromGateway, ToGateway};
use coffer_sys::descriptors::take_inherited;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::holder::Holder;
use super::record::{Writer, recorder, tell};
use super::{Job, MOST_THREADS, Told, standing};
use crate::commands::ledger;
use crate::limits::NO_MORE;
use crate::resolver::{NoKeeper, Resolver};

/// Descriptors that are no connections: listening sockets, the ledger, the keeper's files.
const OTHER_DESCRIPTORS: u64 = 128;
/// What a connection takes: itself, and one to the host that it is for; tunnels in the kernel have two pipes.
const DESCRIPTORS_EACH: u64 = 6;

/// Why a gateway cannot begin.
pub(super) struct Unable {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Unable {
    fn to(what: &str, error: &io::Error) -> Self {
        let hint = (error.raw_os_error() == Some(NO_MORE)).then(|| NO_PROCESS_LEFT.to_owned());
        Self { message: format!("cannot {what}: {error}"), hint }
    }
}

/// Serves until standard input ends; the exit code.
pub(crate) fn gateway_of_run() -> u8 {
    // No terminal's signal is meant for it: it ends with its run.
    let _ = rustix::process::setsid();
    let mut input = io::stdin().lock();
    let mut line = zeroize::Zeroizing::new(Vec::new());
    let job = input.read_until(b'\n', &mut line).map_err(|error| Unable::to("read what to do", &error));
    let job = job.and_then(|_| {
        serde_json::from_slice::<Job>(&line).map_err(|error| Unable::to("read what to do", &error.into()))
    });
    match job.and_then(begin) {
        Ok((serving, setup, writer)) => {
            // Until whoever started it closes the pipe, or is gone.
            let mut rest = [0_u8; 64];
            while !matches!(input.read(&mut rest), Ok(0)) {}
            serving.stop();
            drop(setup);
            writer.finish();
            0
        }
        Err(Unable { message, hint }) => {
            tell(&Told::Failed { message, hint });
            1
        }
    }
}

type Begun = (coffer_gateway::serve::Serving, Arc<Setup>, Writer);

fn begin(job: Job) -> Result<Begun, Unable> {
    let facts =
        coffer_host::base().map_err(|error| Unable { message: error.to_string(), hint: error.hint() })?;
    let init = take_inherited(job.init).and_then(Channel::from_descriptor);
    let init = init.map_err(|error| Unable::to("use the socket to the sandbox", &error))?;
    let (record, writer) = recorder(&job.run, ledger::of(&facts), tell)
        .map_err(|error| Unable::to("start the thread that records", &error))?;
    let injection = injection(&job, &facts)?;
    let mut doors = doors(&job, &init)?;
    doors.extend(published(&job.gateway)?);
    let setup = Arc::new(Setup {
        reach: reach(&job.gateway),
        overrides: overrides(&job.gateway),
        more_roots: more_roots(&job.gateway)?,
        injection,
        limits: limits(),
        record: Arc::new(record),
        inside: Some(Arc::new(ThroughInit(Mutex::new(
            init.try_clone().map_err(|error| Unable::to("use the socket to the sandbox", &error))?,
        )))),
        run: Some(job.run.clone()),
        tls: coffer_gateway::api::Tls::default(),
    });
    standing::listen(&job.folder, Arc::downgrade(&setup))
        .map_err(|error| Unable::to("listen for `coffer allow`", &error))?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let serving = serve(&setup, doors, threads).map_err(|error| Unable::to("serve", &error))?;
    init.send(&FromGateway::Serving, &[]).map_err(|error| Unable::to("tell the sandbox to begin", &error))?;
    tell(&Told::Serving);
    Ok((serving, setup, writer))
}

/// As much as this process may have: a connection that found no descriptor would take the record's with it.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    if setrlimit(Resource::Nofile, files).is_err() {
        files = getrlimit(Resource::Nofile);
    }
    if let Some(most) = files.current {
        let room = most.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_EACH;
        limits.connections = limits.connections.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1);
    }
    limits
}

/// The listening sockets: those that init made inside, and those of the host.
fn doors(job: &Job, init: &Channel) -> Result<Vec<(Door, Socket)>, Unable> {
    let mut outside = job.outside.iter();
    let mut next = |inside: bool| -> io::Result<OwnedFd> {
        if !inside {
            let number = outside.next().ok_or(io::ErrorKind::NotFound)?;
            return take_inherited(*number);
        }
        let received = init.receive::<ToGateway>()?.ok_or(io::ErrorKind::BrokenPipe)?;
        match (received.message, received.descriptors.into_iter().next()) {
            (ToGateway::Listening, Some(socket)) => Ok(socket),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    let sockets = job.gateway.doors.iter().map(|door| {
        let socket = next(door.listen.is_some())
            .map_err(|error| Unable::to("get the doors of the sandbox", &error))?;
        let kind = match door.kind {
            DoorKind::Proxy => Door::Proxy,
            DoorKind::Api => Door::Api,
            DoorKind::Forward { to } => Door::Forward(to),
        };
        Ok((kind, Socket::Tcp(TcpListener::from(socket))))
    });
    sockets.collect()
}

/// Ports of the host's loopback that lead inside.
fn published(gateway: &Gateway) -> Result<Vec<(Door, Socket)>, Unable> {
    let bind = |(host_port, port): &(u16, u16)| {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, *host_port)).map_err(|error| Unable {
            message: format!("cannot publish on port {host_port} of this machine: {error}"),
            hint: Some(format!("another one: `--publish {}:{port}`", host_port.wrapping_add(1).max(1024))),
        })?;
        Ok((Door::Publish(*port), Socket::Tcp(socket)))
    };
    gateway.publish.iter().map(bind).collect()
}

pub(super) fn reach(gateway: &Gateway) -> Reach {
    let rule = |allow: &Allow| Rule {
        pattern: allow.host.clone(),
        port: allow.port,
        origin: allow.origin.as_str().into(),
        ranges: allow.ranges,
    };
    let rules = gateway.allow.iter().map(rule).collect();
    if gateway.open { Reach::everybody(rules) } else { Reach::listed(rules) }
}

pub(super) fn overrides(gateway: &Gateway) -> BTreeMap<coffer_plan::host::Host, Vec<SocketAddr>> {
    let mut out: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (host, address) in &gateway.upstream {
        out.entry(host.clone()).or_default().push(*address);
    }
    out
}

pub(super) fn more_roots(gateway: &Gateway) -> Result<Vec<CertificateDer<'static>>, Unable> {
    let Some(file) = &gateway.ca_file else { return Ok(Vec::new()) };
    let unable = |error: String| Unable {
        message: format!("cannot read the certificate authorities in `{file}`: {error}"),
        hint: Some("mend `upstream.ca_file` in your config file".to_owned()),
    };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unable(error.to_string()))?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unable(error.to_string()))?;
    if found.is_empty() { Err(unable("there are none".to_owned())) } else { Ok(found) }
}

/// The credential is had before anything starts: what fails here fails before the agent runs.
fn injection(job: &Job, facts: &HostFacts) -> Result<Option<Injection>, Unable> {
    let Some(injected) = &job.gateway.injection else { return Ok(None) };
    let holder = Holder::new(facts.clone(), injected.clone());
    holder.current().map_err(|none| Unable { message: none.reason, hint: None })?;
    let capability = Capability::new(Secret::new(job.capability.clone().into_bytes()));
    injected_by(Arc::new(holder), capability, facts).map(Some)
}

/// The credential of this holder, for whoever shows this.
pub(super) fn injected_by(
    holder: Arc<Holder>,
    capability: Capability,
    facts: &HostFacts,
) -> Result<Injection, Unable> {
    let how = &holder.injected().how;
    let url = match &how.upstream_ref {
        Some(reference) => {
            let whole = Resolver::new(facts, &NoKeeper).resolve(reference);
            let whole = whole.map_err(|error| Unable { message: error.reason, hint: error.hint })?;
            String::from_utf8_lossy(&whole).trim().to_owned()
        }
        None => how.upstream.clone(),
    };
    let upstream = Upstream::read(&url, how.ranges).map_err(|reason| Unable {
        message: format!("`{}` cannot be the API: {reason}", how.upstream),
        hint: Some("`coffer why env ANTHROPIC_BASE_URL`".to_owned()),
    })?;
    Ok(Injection {
        upstream,
        capability,
        strip: how.strip.iter().filter_map(|name| name.parse().ok()).collect(),
        strip_query: how.strip_query.clone(),
        keyholder: holder,
    })
}

/// Has sockets made inside.
struct ThroughInit(Mutex<Channel>);

impl Inside for ThroughInit {
    fn sockets(&self) -> io::Result<[OwnedFd; 2]> {
        let init = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        init.send(&FromGateway::Sockets, &[])?;
        let received = init.receive::<ToGateway>()?.ok_or(io::ErrorKind::BrokenPipe)?;
        received.descriptors.try_into().map_err(|_| io::ErrorKind::InvalidData.into())
    }
}
