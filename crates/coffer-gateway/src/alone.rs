//! A gateway that stands alone, in front of anything: containers, sandboxes of others, programs of the user's.
//!
//! Each of its sockets is both the API and the forward proxy; which one is meant, the form of a request says. Who asks
//! shows a token, and by it everything else is known: whose credential is put in, and who may be reached. Nothing of
//! that is kept with a connection: each request is judged anew, so that a token that was taken away counts for nothing
//! from the next one on.

mod shown;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coffer_account::secret::Secret;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};

use crate::body::{Body, whole};
use crate::crew::{Arrived, Connection, Crew, Sent};
use crate::record::{Pending, Record, Verdict};
use crate::refusal::Refusal;
use crate::serve::{Desk, Over, Permit, Socket, accept, beat, hear_of};
use crate::setup::{Limits, Setup};
use crate::tunnel::Stream;
use crate::{api, proxy};
use shown::{Shown, Way};

/// What a gateway that stands alone is told.
pub struct Alone {
    /// Who knows the tokens.
    pub tokens: Arc<dyn Tokens>,
    /// How much all of its clients together may take.
    pub limits: Limits,
    /// How long what is under way may take at the end.
    pub grace: Duration,
    /// Who writes down what nobody's token stands behind.
    pub record: Arc<dyn Record>,
    /// Ids of those who may come in by a unix socket.
    pub peers: Vec<Range<u32>>,
}

/// Knows the tokens.
pub trait Tokens: Send + Sync {
    /// What stands behind a token now. It is called on the threads that serve: it reads one small file at most.
    ///
    /// # Errors
    /// When nothing does.
    fn look(&self, shown: &Secret) -> Result<Look, Turned>;

    /// Prepares what stands behind the token of this id. May block.
    ///
    /// # Errors
    /// When its account cannot be used, or it is not there any more.
    fn prepare(&self, id: &str) -> Result<Arc<Bearer>, Turned>;
}

/// What stands behind a token.
pub enum Look {
    /// This.
    Ready(Arc<Bearer>),
    /// It is the token of this id, and is still to be prepared.
    Unprepared(String),
}

/// Whoever shows a token.
pub struct Bearer {
    /// The token's id.
    pub id: String,
    /// Whose credential is put in, and who may be reached.
    pub setup: Arc<Setup>,
    /// True once the token counts no more.
    pub over: watch::Receiver<bool>,
}

/// Why somebody is turned away.
pub struct Turned {
    /// In words.
    pub reason: String,
    /// Whether it may work later.
    pub transient: bool,
    /// Who writes it down, if it is somebody's token.
    pub record: Option<Arc<dyn Record>>,
}

impl Turned {
    /// Nobody's token.
    pub fn unknown(reason: &str) -> Self {
        Self { reason: reason.to_owned(), transient: false, record: None }
    }
}

/// A gateway at work.
#[derive(Debug)]
pub struct Standing {
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Standing {
    /// Ends it: no new connections and requests; what is under way has the time of [`Alone::grace`].
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
pub fn serve(alone: &Arc<Alone>, sockets: Vec<Socket>, threads: usize) -> io::Result<Standing> {
    let (stop, stopped) = watch::channel(false);
    let room = Arc::new(Semaphore::new(alone.limits.connections));
    let (crew, hear) = Crew::new(threads.max(1));
    let mut workers = Vec::new();
    for (number, hear) in hear.into_iter().enumerate() {
        let sockets: Vec<Socket> = sockets.iter().map(Socket::duplicate).collect::<io::Result<_>>()?;
        let (alone, room, crew, stopped) = (alone.clone(), room.clone(), crew.clone(), stopped.clone());
        let worker = Worker { number, alone, room, crew, stopped };
        let thread = thread::Builder::new().name(format!("gateway-{number}"));
        workers.push(thread.spawn(move || worker.run(sockets, hear))?);
    }
    // From here on only those who accept hold them: nobody is let in any more once they have ended.
    drop(sockets);
    Ok(Standing { stop, workers })
}

struct Worker {
    number: usize,
    alone: Arc<Alone>,
    room: Arc<Semaphore>,
    crew: Arc<Crew>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    fn run(self, sockets: Vec<Socket>, hear: UnboundedReceiver<Sent>) {
        // Without a set of local tasks: that would wake itself by the kernel for each of them.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default());
        let Ok(runtime) = runtime else { return };
        let Self { number, alone, room, crew, mut stopped } = self;
        runtime.block_on(async move {
            let counter = Rc::new(Counter { alone: alone.clone(), desks: RefCell::default() });
            let to_counter = stopped.clone();
            let welcome = move |arrived| welcome(&counter, &to_counter, arrived);
            tokio::task::spawn_local(hear_of(hear, welcome.clone()));
            tokio::task::spawn_local(beat());
            let accepting = sockets.into_iter().map(|socket| {
                let (crew, welcome) = (crew.clone(), welcome.clone());
                tokio::task::spawn_local(accept(socket, room.clone(), move |connection, permit| {
                    crew.seat(number, 0, connection, permit).into_iter().for_each(&welcome);
                }))
            });
            let accepting: Vec<_> = accepting.collect();
            // An error means that nobody is left who could stop it.
            let _ = stopped.wait_for(|stop| *stop).await;
            accepting.iter().for_each(tokio::task::JoinHandle::abort);
            // When all places are free, everybody has gone.
            let places = u32::try_from(alone.limits.connections).unwrap_or(u32::MAX);
            let _ = tokio::time::timeout(alone.grace, room.acquire_many(places)).await;
        });
        // A renewal that is under way is waited for: whoever stops the service would end the client in the middle of it.
        drop(runtime);
    }
}

/// Begins to serve somebody.
fn welcome(counter: &Rc<Counter>, stopped: &watch::Receiver<bool>, arrived: Arrived) {
    let Arrived { door: _, connection, seat } = arrived;
    let (counter, stopped, permit) = (counter.clone(), stopped.clone(), Rc::new(seat));
    match connection {
        Connection::Tcp(stream) => {
            tokio::task::spawn_local(self::connection(counter, stopped, stream, permit));
        }
        // Nothing is said to those who may not: the connection is closed.
        Connection::Unix(stream) if !counter.may_come_in(&stream) => {}
        Connection::Unix(stream) => {
            tokio::task::spawn_local(self::connection(counter, stopped, stream, permit));
        }
    }
}

async fn connection<S>(counter: Rc<Counter>, mut stopped: watch::Receiver<bool>, stream: S, permit: Permit)
where
    S: AsyncRead + AsyncWrite + Stream + Send + Unpin + 'static,
{
    // Taken at the very end: nothing is begun any more.
    if *stopped.borrow() {
        return;
    }
    let limits = counter.alone.limits;
    let mut builder = http1::Builder::new();
    builder
        // Whoever asks the API and goes away wants no answer any more, and shall not pay for it.
        .half_close(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes);
    let service = service_fn(|request: Request<Incoming>| {
        let (counter, permit) = (counter.clone(), permit.clone());
        async move { Ok::<_, Infallible>(Box::pin(counter.answer(permit, request)).await) }
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    // What ends a connection is known to whom it happened; nobody else can do anything about it.
    tokio::select! {
        _ = served.as_mut() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = served.await;
}

/// Where all who come to one thread are looked at.
struct Counter {
    alone: Arc<Alone>,
    /// For each token that was shown here, what its requests share.
    desks: RefCell<BTreeMap<String, Known>>,
}

/// What the requests with one token share, as long as that stands for the same.
type Known = (Arc<Bearer>, Rc<Desk>);

impl Counter {
    /// Whether the one at the other end may come in by a unix socket; if not, it is written down.
    fn may_come_in(&self, stream: &UnixStream) -> bool {
        let uid = stream.peer_cred().map(|peer| peer.uid());
        if uid.as_ref().is_ok_and(|uid| self.alone.peers.iter().any(|known| known.contains(uid))) {
            return true;
        }
        let mut pending = Pending::begin(&self.alone.record, None);
        pending.decision.verdict = Verdict::ForeignPeer;
        pending.decision.rule = uid.ok().map(|uid| format!("uid {uid} may not come in").into());
        false
    }

    async fn answer(&self, permit: Permit, request: Request<Incoming>) -> Response<Body> {
        let Shown { way, words } = Shown::of(&request);
        // Whoever asks whether anybody is there needs no token: the answer is always the same.
        if way == Way::Api && request.method() == Method::HEAD && words.is_empty() {
            return Response::new(whole(""));
        }
        let turned = match self.desk(&words).await {
            Ok(desk) if way == Way::Api => return api::answer(desk, request).await,
            Ok(desk) => return proxy::answer(desk, request, permit).await,
            Err(turned) => turned,
        };
        let Turned { reason, transient, record } = turned;
        let refusal = Refusal::NoToken { reason, transient, proxy: way == Way::Proxy };
        Pending::begin(&record.unwrap_or_else(|| self.alone.record.clone()), None).refused(&refusal);
        match way {
            Way::Api => refusal.answer_as_api(),
            Way::Proxy => refusal.answer(),
        }
    }

    /// What stands behind the first of these words that is a token.
    async fn desk(&self, words: &[Secret]) -> Result<Rc<Desk>, Turned> {
        let mut turned = Turned::unknown("this gateway wants a token");
        for word in words {
            match self.alone.tokens.look(word) {
                Ok(Look::Ready(bearer)) => return Ok(self.desk_of(bearer)),
                Ok(Look::Unprepared(id)) => {
                    let tokens = self.alone.tokens.clone();
                    let prepared = tokio::task::spawn_blocking(move || tokens.prepare(&id)).await;
                    let fell = |_| Turned::unknown("what stands behind the token fell over");
                    return Ok(self.desk_of(prepared.map_err(fell)??));
                }
                Err(other) if turned.record.is_none() => turned = other,
                Err(_) => {}
            }
        }
        Err(turned)
    }

    fn desk_of(&self, bearer: Arc<Bearer>) -> Rc<Desk> {
        let mut desks = self.desks.borrow_mut();
        if let Some((known, desk)) = desks.get(&bearer.id)
            && Arc::ptr_eq(known, &bearer)
        {
            return desk.clone();
        }
        // Seldom: a token is new here, or stands for something else by now.
        desks.retain(|_, (known, _)| !*known.over.borrow());
        let desk = Rc::new(Desk::new(bearer.setup.clone(), Over::when(bearer.over.clone())));
        desks.insert(bearer.id.clone(), (bearer, desk.clone()));
        desk
    }
}
