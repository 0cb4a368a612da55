//! Listens: a thread for each core, and each takes connections of all listening sockets and stays with them, so that
//! nothing of a request goes from one thread to another.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::body::Counted;
use crate::crew::{Arrived, Connection, Crew, Seat, Sent};
use crate::dial::Dialer;
use crate::pool::Pool;
use crate::setup::{Door, Setup};
use crate::tunnel::Stream;
use crate::{api, proxy, tunnel};

/// A socket that listens.
#[derive(Debug)]
pub enum Socket {
    /// Of an address.
    Tcp(StdTcpListener),
    /// Of a path.
    Unix(StdUnixListener),
}

impl Socket {
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                socket.try_clone().map(Self::Tcp)
            }
            Self::Unix(socket) => {
                socket.set_nonblocking(true)?;
                socket.try_clone().map(Self::Unix)
            }
        }
    }
}

/// A gateway at work.
#[derive(Debug)]
pub struct Serving {
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Ends it: no new connections, and those that are there are dropped.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        for worker in self.workers {
            // A worker that fell over has said so; what it served is gone either way.
            drop(worker.join());
        }
    }
}

/// Starts to serve; returns at once.
///
/// # Errors
/// When sockets cannot be duplicated, or threads cannot be had.
pub fn serve(setup: &Arc<Setup>, doors: Vec<(Door, Socket)>, threads: usize) -> io::Result<Serving> {
    let (stop, stopped) = watch::channel(false);
    // Room for each door: whoever crowds at one keeps nobody from the others.
    let rooms: Vec<_> = doors.iter().map(|_| Arc::new(Semaphore::new(setup.limits.connections))).collect();
    let (crew, hear) = Crew::new(threads.max(1));
    let mut workers = Vec::new();
    for (number, hear) in hear.into_iter().enumerate() {
        let doors: Vec<Open> = doors
            .iter()
            .zip(&rooms)
            .map(|((door, socket), room)| Ok((door.clone(), socket.duplicate()?, room.clone())))
            .collect::<io::Result<_>>()?;
        let worker =
            Worker { number, setup: setup.clone(), crew: crew.clone(), hear, stopped: stopped.clone() };
        let thread = thread::Builder::new().name(format!("gateway-{number}"));
        workers.push(thread.spawn(move || worker.run(doors))?);
    }
    Ok(Serving { stop, workers })
}

/// What the connections of one thread share.
pub struct Desk {
    /// What the gateway was told.
    pub setup: Arc<Setup>,
    /// Finds hosts.
    pub dialer: Dialer,
    /// Connections to the API.
    pub upstreams: api::Upstreams,
    /// Connections to hosts that are asked in plain HTTP.
    pub(crate) plain: Pool<Counted>,
    /// When tunnels have to end.
    pub(crate) over: Over,
}

impl Desk {
    /// For this setup. To be called on the thread's runtime.
    pub(crate) fn new(setup: Arc<Setup>, over: Over) -> Self {
        let dialer = Dialer::new(setup.clone());
        let upstreams = api::Upstreams::new(&setup);
        Self { setup, dialer, upstreams, plain: Pool::default(), over }
    }
}

/// When what was opened has to end before its time.
pub(crate) struct Over(Option<watch::Receiver<bool>>);

impl Over {
    /// Never: the gateway of a run ends with it.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// Once this is true.
    pub(crate) fn when(over: watch::Receiver<bool>) -> Self {
        Self(Some(over))
    }

    /// Waits for it.
    pub(crate) async fn comes(&self) {
        match self.0.clone() {
            // Without anybody who could say so any more, it is.
            Some(mut over) => drop(over.wait_for(|over| *over).await),
            None => std::future::pending().await,
        }
    }
}

/// A door, its socket, and its room.
type Open = (Door, Socket, Arc<Semaphore>);

struct Worker {
    number: usize,
    setup: Arc<Setup>,
    crew: Arc<Crew>,
    hear: UnboundedReceiver<Sent>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    fn run(self, doors: Vec<Open>) {
        // Without a set of local tasks: that would wake itself by the kernel for each of them.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default());
        let Ok(runtime) = runtime else { return };
        let Self { number, setup, crew, hear, mut stopped } = self;
        runtime.block_on(async move {
            let desk = Rc::new(Desk::new(setup, Over::never()));
            let behind: Rc<[Door]> = doors.iter().map(|(door, ..)| door.clone()).collect();
            let welcome = move |arrived| welcome(&desk, &behind, arrived);
            tokio::task::spawn_local(hear_of(hear, welcome.clone()));
            tokio::task::spawn_local(beat());
            for (door, (_, socket, room)) in doors.into_iter().enumerate() {
                let (crew, welcome) = (crew.clone(), welcome.clone());
                tokio::task::spawn_local(accept(socket, room, move |connection, permit| {
                    crew.seat(number, door, connection, permit).into_iter().for_each(&welcome);
                }));
            }
            // An error means that nobody is left who could stop it.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        // Whoever asks a helper or the keeper right now is not waited for.
        runtime.shutdown_background();
    }
}

/// How often the thread wakes by itself: more often than any limit on the head of a request is long.
const BEAT: Duration = Duration::from_secs(5);

/// Sets a timer that is always due before those of connections. Without it each of them would be the next one that is
/// due, and the thread would wake itself by the kernel to hear of it, once for each request.
pub(crate) async fn beat() {
    let mut beats = tokio::time::interval(BEAT);
    loop {
        beats.tick().await;
    }
}

/// Welcomes those whom other threads send, until the thread ends.
pub(crate) async fn hear_of(mut hear: UnboundedReceiver<Sent>, welcome: impl Fn(Arrived)) {
    while let Some(sent) = hear.recv().await {
        // What cannot be waited for is closed.
        sent.arrive().into_iter().for_each(&welcome);
    }
}

/// Begins to serve somebody.
fn welcome(desk: &Rc<Desk>, doors: &[Door], arrived: Arrived) {
    let Arrived { door, connection, seat } = arrived;
    let Some(door) = doors.get(door).cloned() else { return };
    let (desk, permit): (_, Permit) = (desk.clone(), Rc::new(seat));
    match connection {
        Connection::Tcp(stream) => {
            tokio::task::spawn_local(self::connection(desk, door, stream, permit));
        }
        Connection::Unix(stream) => {
            tokio::task::spawn_local(self::connection(desk, door, stream, permit));
        }
    }
}

/// Takes connections until the thread ends.
pub(crate) async fn accept(
    socket: Socket,
    room: Arc<Semaphore>,
    take: impl Fn(Connection, OwnedSemaphorePermit),
) -> Option<Infallible> {
    match socket {
        Socket::Tcp(socket) => {
            let socket = TcpListener::from_std(socket).ok()?;
            loop {
                let permit = room.clone().acquire_owned().await.ok()?;
                match socket.accept().await {
                    Ok((stream, _)) => {
                        // Without it small answers wait for acknowledgements.
                        let _ = stream.set_nodelay(true);
                        take(Connection::Tcp(stream), permit);
                    }
                    Err(error) => after(&error).await,
                }
            }
        }
        Socket::Unix(socket) => {
            let socket = UnixListener::from_std(socket).ok()?;
            loop {
                let permit = room.clone().acquire_owned().await.ok()?;
                match socket.accept().await {
                    Ok((stream, _)) => take(Connection::Unix(stream), permit),
                    Err(error) => after(&error).await,
                }
            }
        }
    }
}

/// The right to a connection; tunnels keep it after their request has been answered.
pub(crate) type Permit = Rc<Seat>;

async fn connection<S>(desk: Rc<Desk>, door: Door, stream: S, permit: Permit)
where
    S: AsyncRead + AsyncWrite + Stream + Send + Unpin + 'static,
{
    let limits = desk.setup.limits;
    let mut builder = http1::Builder::new();
    builder
        // Whoever asks the API and goes away wants no answer any more, and shall not pay for it.
        .half_close(!matches!(door, Door::Api))
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes);
    match door {
        Door::Proxy => {
            let service = service_fn(|request: Request<Incoming>| {
                let (desk, permit) = (desk.clone(), permit.clone());
                // Apart from the connection, which would have room for it as long as it lives.
                async { Ok::<_, Infallible>(Box::pin(proxy::answer(desk, request, permit)).await) }
            });
            // What ends a connection is known to whom it happened; nobody else can do anything about it.
            let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        }
        Door::Api => {
            let service = service_fn(|request: Request<Incoming>| {
                let desk = desk.clone();
                async { Ok::<_, Infallible>(Box::pin(api::answer(desk, request)).await) }
            });
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
        Door::Forward(port) => tunnel::forward(&desk, port, stream).await,
        Door::Publish(port) => tunnel::publish(&desk, port, stream).await,
    }
}

/// Out of descriptors, say: others have to end first. A connection that broke before it was taken is nothing.
async fn after(error: &io::Error) {
    let broke =
        [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
    if !broke.contains(&error.kind()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
