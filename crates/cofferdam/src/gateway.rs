//! The gateway of a run: a process of its own, so that what goes wrong in it harms no run, and no byte of the
//! sandbox's traffic is ever handled by the process that supervises it.
//!
//! [`Gatekeeper`] is this side of it. It hands over what the gateway needs on a pipe (the word of the run among it),
//! hears on another one what it did, and ends it by closing the first. The other side is [`serve`].

pub(crate) mod alone;
pub(crate) mod connect;
mod hear;
mod holder;
mod record;
pub(crate) mod serve;
pub(crate) mod standing;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use camino::Utf8PathBuf;
use coffer_account::secret::Secret;
use coffer_launch::launch::{Gateway, Launch};
use coffer_launch::run::RunError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use hear::{Heard, Told};

/// The hidden command that is the gateway.
pub(crate) const VERB: &str = "gateway-of-run";
/// The most threads that serve.
const MOST_THREADS: usize = 4;
/// How long the gateway may take to write down what it did.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How the word of a run begins: whoever finds it somewhere shall know what it is.
pub(crate) const WORD: &str = "coffer-run-";

/// What the gateway is told on its standard input, in one line.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The run.
    run: String,
    /// The run's folder.
    folder: Utf8PathBuf,
    /// Public, as it stands in the launch.
    gateway: Gateway,
    /// The word of the run.
    capability: String,
    /// The number of the descriptor that leads to init.
    init: i32,
    /// Numbers of listening sockets of the host, for doors that are not inside, in their order.
    outside: Vec<i32>,
}

/// This side of a gateway.
pub(crate) struct Gatekeeper {
    runtime: Utf8PathBuf,
    capability: Secret,
    /// For doors that are not inside.
    outside: Vec<TcpListener>,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    /// The gateway lives as long as it is open.
    input: ChildStdin,
    hears: JoinHandle<Heard>,
}

impl Gatekeeper {
    /// For this launch; nothing is started yet.
    ///
    /// # Errors
    /// Without random numbers, or a port.
    pub(crate) fn new(launch: &Launch) -> io::Result<Self> {
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *random).map_err(io::Error::other)?;
        let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let outside = launch.gateway().into_iter().flat_map(|gateway| &gateway.doors);
        let outside = outside.filter(|door| door.listen.is_none());
        Ok(Self {
            runtime: launch.runtime().to_owned(),
            capability: Secret::new(format!("{WORD}{word}").into_bytes()),
            outside: outside
                .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
                .collect::<io::Result<_>>()?,
            running: Mutex::default(),
        })
    }

    /// The word that the sandbox shows in place of a credential.
    pub(crate) fn capability(&self) -> &Secret {
        &self.capability
    }

    /// Where the API is for a sandbox that has the host's network.
    pub(crate) fn url(&self) -> Option<String> {
        let address = self.outside.first()?.local_addr().ok()?;
        Some(format!("http://{address}"))
    }

    /// Starts the gateway.
    pub(crate) fn open(&self, run: &str, gateway: &Gateway, init: OwnedFd) -> Result<(), RunError> {
        let running = self.start(run, gateway, init).map_err(RunError::Gateway)?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }

    fn start(&self, run: &str, gateway: &Gateway, init: OwnedFd) -> io::Result<Running> {
        let outside: Vec<OwnedFd> = self
            .outside
            .iter()
            .map(|socket| socket.try_clone().map(OwnedFd::from))
            .collect::<io::Result<_>>()?;
        let job = Job {
            run: run.to_owned(),
            folder: self.runtime.join("runs").join(run),
            gateway: gateway.clone(),
            capability: String::from_utf8_lossy(self.capability.expose()).into_owned(),
            init: init.as_raw_fd(),
            outside: outside.iter().map(|socket| socket.as_raw_fd()).collect(),
        };
        let mut line = Zeroizing::new(serde_json::to_vec(&job)?);
        line.push(b'\n');
        // Who holds a login must be the program that this is, whatever lies at its path by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("coffer").arg(VERB).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        coffer_sys::descriptors::inherit(&mut command, std::iter::once(init).chain(outside).collect());
        let mut child = command.spawn()?;
        drop(command);
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        input.write_all(&line)?;
        let hears = std::thread::Builder::new().name("gatekeeper".to_owned());
        let hears = hears.spawn(move || hear::everything(output))?;
        Ok(Running { child, input, hears })
    }

    /// Ends the gateway, and says what it did; `None` when there was none.
    pub(crate) fn close(&self) -> Option<Heard> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Running { mut child, input, hears } = running?;
        // It is asked to end in this way; if it has ended already, that was not by our word.
        let gone = ended(&child, Duration::ZERO);
        drop(input);
        if !ended(&child, LAST_WORDS) {
            let _ = child.kill();
        }
        let status = child.wait().ok();
        let mut heard = hears.join().unwrap_or_default();
        heard.lost = gone || !status.is_some_and(|status| status.success());
        Some(heard)
    }
}

/// Whether a child has ended, or does within this time.
pub(crate) fn ended(child: &Child, within: Duration) -> bool {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return true };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let mut waits = [PollFd::new(&process, PollFlags::IN)];
    let within = Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: 0 };
    matches!(poll(&mut waits, Some(&within)), Ok(1..))
}
