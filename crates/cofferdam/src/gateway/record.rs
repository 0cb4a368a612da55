//! Writes down what the gateway decides: all of it in the ledger, each new thing to the one who supervises the run.
//!
//! The threads that serve only put it into a queue. One thread takes out what is there and writes it in one go, so
//! that a sync of the disc is waited for once for all that came meanwhile. When more comes than can be written, what
//! is alike is summed up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use coffer_gateway::record::{Decision, Record, Verdict};
use coffer_ledger::{Event, Ledger};
use coffer_plan::host::Endpoint;
use jiff::Timestamp;

use super::Told;

/// From how many on what is alike is summed up.
const MANY: usize = 64;
/// When more came at once, what follows is gathered for so long before it is written.
const FEW: usize = 4;
const TOGETHER: Duration = Duration::from_millis(100);
/// How much this thread gives way to those that serve.
const NICER: i32 = 10;
/// How many decisions wait to be written at the most. What comes then is counted and no more.
const MOST_WAITING: usize = 32 * 1024;
/// How many events are kept when they cannot be written, and how many different ones go down at once.
const MOST_EVENTS: usize = 1024;
/// The most hosts of one verdict that are told, and that are told apart in the record when they are refused.
const MOST_HOSTS: usize = 500;
/// The verdict of what was not written down.
const NOT_RECORDED: &str = "not_recorded";

/// Takes decisions from the threads that serve.
#[derive(Clone)]
pub(super) struct Recorder {
    /// Whose decisions they are: a run's id, or a token's.
    whose: Arc<str>,
    queue: SyncSender<Decided>,
    /// How many found no place in it.
    lost: Arc<AtomicU64>,
}

type Decided = (Timestamp, Arc<str>, Decision);

/// The thread that writes.
pub(super) struct Writer(JoinHandle<()>);

impl Writer {
    /// Waits until all is written; everybody who records must be gone.
    pub(super) fn finish(self) {
        self.0.thread().unpark();
        // If it fell over, what it had is lost, and the standard library has said so.
        drop(self.0.join());
    }
}

/// Starts to write down; what has to be told meanwhile goes to `tell`.
pub(super) fn recorder(
    whose: &str,
    ledger: Ledger,
    tell: impl Fn(&Told) + Send + 'static,
) -> std::io::Result<(Recorder, Writer)> {
    let whose: Arc<str> = whose.into();
    let (sender, queue) = sync_channel(MOST_WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let mut book = Book {
        own: whose.clone(),
        lost: lost.clone(),
        told: BTreeMap::new(),
        refused: HashMap::new(),
        tell: Box::new(tell),
    };
    let writer = std::thread::Builder::new().name("record".to_owned());
    let writer = writer.spawn(move || book.write(&ledger, &queue))?;
    Ok((Recorder { whose, queue: sender, lost }, Writer(writer)))
}

impl Recorder {
    /// For decisions of somebody else, into the same ledger.
    pub(super) fn of(&self, whose: &str) -> Self {
        Self { whose: whose.into(), ..self.clone() }
    }
}

impl Record for Recorder {
    fn decided(&self, decision: Decision) {
        let at = Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
        if self.queue.try_send((at, self.whose.clone(), decision)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells the one who supervises the run; gone, it has nobody to tell.
pub(super) fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(&line).and_then(|()| output.flush());
}

/// What the thread that writes knows.
struct Book {
    /// The run's id, or what stands for a gateway that has none.
    own: Arc<str>,
    lost: Arc<AtomicU64>,
    /// Who was told of, by what came of it.
    told: BTreeMap<&'static str, HashSet<Endpoint>>,
    /// Whom the record tells apart though they were refused, by whose decisions they were.
    refused: HashMap<Arc<str>, HashSet<Endpoint>>,
    /// To whom it is told.
    tell: Box<dyn Fn(&Told) + Send>,
}

impl Book {
    /// Writes until nobody is left who could record.
    fn write(&mut self, ledger: &Ledger, queue: &Receiver<Decided>) {
        // Whoever waits for an answer goes first. Of the threads it is this one alone that becomes nicer.
        let _ = rustix::process::nice(NICER);
        let mut unwritten: Vec<(Timestamp, Event)> = Vec::new();
        let (mut failing, mut busy) = (false, false);
        loop {
            let first = queue.recv();
            let ended = first.is_err();
            if busy && !ended {
                // What comes in a moment goes down with it: each time the disc is waited for.
                std::thread::park_timeout(TOGETHER);
            }
            let mut count = 0;
            let decisions = first.into_iter().chain(queue.try_iter()).take(MOST_WAITING);
            let batch = self.gather(decisions.inspect(|_| count += 1));
            busy = count > FEW;
            unwritten.extend(batch);
            if unwritten.len() > MOST_EVENTS {
                let many = unwritten.drain(..unwritten.len() - MOST_EVENTS).count();
                self.lost.fetch_add(many as u64, Ordering::Relaxed);
            }
            match ledger.append_all(unwritten.clone()) {
                Ok(_) => unwritten.clear(),
                Err(error) if !failing => {
                    failing = true;
                    (self.tell)(&Told::NotRecorded { message: error.to_string() });
                }
                // It is tried again with what comes next.
                Err(_) => {}
            }
            if ended {
                break;
            }
        }
    }

    /// The events of several decisions: each its own, and from some number on what is alike in one.
    fn gather(&mut self, decisions: impl Iterator<Item = Decided>) -> Vec<(Timestamp, Event)> {
        let mut all: Vec<(Timestamp, Sum)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut recent = 0;
        for (count, (at, whose, mut decision)) in decisions.enumerate() {
            // Under load most are like the one before, of which all is known.
            if count >= MANY
                && let Some((_, sum)) = all.get_mut(recent)
                && sum.is_like(&whose, &decision)
            {
                sum.add(&decision);
                continue;
            }
            self.tell(&decision);
            if !self.tells_apart(&whose, &decision) {
                decision.endpoint = None;
            }
            let mut key = Key::of(&whose, &decision);
            if all.len() >= MOST_EVENTS / 2 && !places.contains_key(&key) {
                decision.endpoint = None;
                key = Key::of(&whose, &decision);
            }
            let place = places.get(&key).filter(|_| count >= MANY).copied();
            recent = place.unwrap_or(all.len());
            match all.get_mut(recent) {
                Some((_, sum)) => sum.add(&decision),
                None => {
                    places.insert(key, all.len());
                    all.push((at, Sum { whose, decision, times: 1 }));
                }
            }
        }
        let mut events: Vec<_> = all.into_iter().map(|(at, sum)| (at, sum.event())).collect();
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let at = Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
            events.push((at, not_recorded(&self.own, lost)));
        }
        events
    }

    /// Tells each new thing to the one who supervises the run.
    fn tell(&mut self, decision: &Decision) {
        let Some(endpoint) = &decision.endpoint else { return };
        let verdict = decision.verdict.word();
        let told = self.told.entry(verdict).or_default();
        if told.len() < MOST_HOSTS && !told.contains(endpoint) {
            told.insert(endpoint.clone());
            (self.tell)(&Told::Met { endpoint: endpoint.to_string(), verdict: verdict.to_owned() });
        }
    }

    /// A sandbox can make up names as fast as it likes; all that come late are one to the record.
    fn tells_apart(&mut self, whose: &Arc<str>, decision: &Decision) -> bool {
        let refused = match &decision.endpoint {
            Some(endpoint) if decision.verdict != Verdict::Allowed => endpoint,
            Some(_) | None => return true,
        };
        let known = self.refused.entry(whose.clone()).or_default();
        known.contains(refused) || known.len() < MOST_HOSTS && known.insert(refused.clone())
    }
}

/// What makes decisions alike.
#[derive(PartialEq, Eq, Hash)]
struct Key(Arc<str>, Option<Endpoint>, &'static str, Option<String>, Option<String>, u16);

impl Key {
    fn of(whose: &Arc<str>, decision: &Decision) -> Self {
        let Decision { endpoint, verdict, rule, credential, status, sent: _, received: _, milliseconds: _ } =
            decision;
        Self(whose.clone(), endpoint.clone(), verdict.word(), rule.clone(), credential.clone(), *status)
    }
}

/// Decisions that are alike.
struct Sum {
    whose: Arc<str>,
    /// Bytes and times are those of all.
    decision: Decision,
    times: u64,
}

impl Sum {
    fn is_like(&self, whose: &Arc<str>, other: &Decision) -> bool {
        let Decision { endpoint, verdict, rule, credential, status, sent: _, received: _, milliseconds: _ } =
            other;
        let own = &self.decision;
        own.endpoint == *endpoint
            && own.verdict == *verdict
            && own.status == *status
            && own.rule == *rule
            && own.credential == *credential
            && self.whose == *whose
    }

    fn add(&mut self, more: &Decision) {
        self.decision.sent += more.sent;
        self.decision.received += more.received;
        self.decision.milliseconds += more.milliseconds;
        self.times += 1;
    }

    fn event(self) -> Event {
        let Decision { endpoint, verdict, rule, credential, status, sent, received, milliseconds } =
            self.decision;
        Event::GatewayDecided {
            run: self.whose.to_string(),
            host: endpoint.as_ref().map(|endpoint| endpoint.host.to_string()),
            port: endpoint.map(|endpoint| endpoint.port),
            verdict: verdict.word().to_owned(),
            rule,
            credential,
            status,
            sent,
            received,
            ms: milliseconds,
            times: self.times,
        }
    }
}

fn not_recorded(run: &str, times: u64) -> Event {
    Event::GatewayDecided {
        run: run.to_owned(),
        host: None,
        port: None,
        verdict: NOT_RECORDED.to_owned(),
        rule: None,
        credential: None,
        status: 0,
        sent: 0,
        received: 0,
        ms: 0,
        times,
    }
}

#[cfg(test)]
mod tests;
