//! Writes down what the gateway decides: all of it in the ledger, each new thing to the one who supervises the run.
//!
//! The threads that serve only put it on a page. One thread takes the page away and writes it in one go, so that a
//! sync of the disc is waited for once for all that came meanwhile. When much comes, what is alike is summed up on the
//! page: it stays short, however long the disc takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    pen: Arc<Pen>,
}

/// Writes on the page. When the last who has it lets go of it, no more comes.
struct Pen(Arc<Desk>);

/// Where the page lies.
struct Desk {
    page: Mutex<Page>,
    /// Something is on the page that was empty, or no more comes.
    news: Condvar,
}

impl Desk {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that writes.
pub(super) struct Writer(JoinHandle<()>);

impl Writer {
    /// Waits until all is written; everybody who records must be gone.
    pub(super) fn finish(self) {
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
    let desk = Arc::new(Desk { page: Mutex::default(), news: Condvar::new() });
    let pen = Arc::new(Pen(desk.clone()));
    let whose: Arc<str> = whose.into();
    let own = whose.clone();
    let writer = std::thread::Builder::new().name("record".to_owned());
    let writer = writer.spawn(move || write(&desk, &ledger, &own, &tell))?;
    Ok((Recorder { whose, pen }, Writer(writer)))
}

impl Recorder {
    /// For decisions of somebody else, into the same ledger.
    pub(super) fn of(&self, whose: &str) -> Self {
        Self { whose: whose.into(), ..self.clone() }
    }
}

impl Record for Recorder {
    fn decided(&self, decision: &Decision) {
        let desk = &self.pen.0;
        let mut page = desk.page();
        page.add(&self.whose, decision, now);
        if page.count == 1 {
            drop(page);
            desk.news.notify_one();
        }
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.0.page().ended = true;
        self.0.news.notify_one();
    }
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default()
}

/// Tells the one who supervises the run; gone, it has nobody to tell.
pub(super) fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(&line).and_then(|()| output.flush());
}

/// Writes pages until nobody is left who could record.
fn write(desk: &Desk, ledger: &Ledger, own: &Arc<str>, tell: &impl Fn(&Told)) {
    // Whoever waits for an answer goes first. Of the threads it is this one alone that becomes nicer.
    let _ = rustix::process::nice(NICER);
    let mut backlog = Backlog::default();
    let (mut failing, mut busy) = (false, false);
    loop {
        let waits = |page: &mut Page| page.count == 0 && !page.ended;
        let mut page = desk.news.wait_while(desk.page(), waits).unwrap_or_else(PoisonError::into_inner);
        if busy {
            // What comes in a moment goes down with it: each time the disc is waited for.
            let more = desk.news.wait_timeout_while(page, TOGETHER, |page| !page.ended);
            page = more.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (written, ended) = (page.turn(), page.ended);
        drop(page);
        busy = written.count > FEW;
        written.told.iter().for_each(tell);
        backlog.add(written.sums.into_iter().map(|(at, sum)| (at, sum.event())));
        match ledger.append_all(backlog.events(own)) {
            Ok(_) => backlog = Backlog::default(),
            Err(error) if !failing => {
                failing = true;
                tell(&Told::NotRecorded { message: error.to_string() });
            }
            // It is tried again with what comes next.
            Err(_) => {}
        }
        if ended {
            break;
        }
    }
}

/// What could not be written so far, as much of it as is kept.
#[derive(Default)]
struct Backlog {
    kept: Vec<(Timestamp, Event)>,
    /// How many are kept no longer.
    lost: usize,
}

impl Backlog {
    /// What comes last is kept.
    fn add(&mut self, events: impl Iterator<Item = (Timestamp, Event)>) {
        self.kept.extend(events);
        let many = self.kept.len().saturating_sub(MOST_EVENTS);
        self.lost += self.kept.drain(..many).len();
    }

    /// What is to be written.
    fn events(&self, own: &str) -> Vec<(Timestamp, Event)> {
        let lost = (self.lost > 0).then(|| (now(), not_recorded(own, self.lost as u64)));
        self.kept.iter().cloned().chain(lost).collect()
    }
}

/// What was decided and is not written yet.
#[derive(Default)]
struct Page {
    sums: Vec<(Timestamp, Sum)>,
    places: HashMap<Key, usize>,
    /// The sum that grew last.
    recent: usize,
    /// How many decisions it has.
    count: usize,
    told: Vec<Told>,
    /// No more comes.
    ended: bool,
    known: Known,
}

/// Who is on the pages so far.
#[derive(Default)]
struct Known {
    /// Who was told of, by what came of it.
    told: BTreeMap<&'static str, HashSet<Arc<Endpoint>>>,
    /// Whom the record tells apart though they were refused, by whose decisions they were.
    refused: HashMap<Arc<str>, HashSet<Arc<Endpoint>>>,
}

/// A page that was taken away.
struct Written {
    sums: Vec<(Timestamp, Sum)>,
    count: usize,
    told: Vec<Told>,
}

impl Page {
    /// One more decision: for itself, and from some number on with those that are alike.
    fn add(&mut self, whose: &Arc<str>, decision: &Decision, at: impl FnOnce() -> Timestamp) {
        let many = self.count >= MANY;
        self.count += 1;
        // Under load most are like the one before, of which all is known.
        if many
            && let Some((_, sum)) = self.sums.get_mut(self.recent)
            && sum.is_like(whose, decision)
        {
            sum.add(decision);
            return;
        }
        self.told.extend(self.known.tell(decision));
        let mut decision = decision.clone();
        if !self.known.tells_apart(whose, &decision) {
            decision.endpoint = None;
        }
        let mut key = Key::of(whose, &decision);
        if self.sums.len() >= MOST_EVENTS / 2 && !self.places.contains_key(&key) {
            decision.endpoint = None;
            key = Key::of(whose, &decision);
        }
        let place = self.places.get(&key).filter(|_| many).copied();
        self.recent = place.unwrap_or(self.sums.len());
        match self.sums.get_mut(self.recent) {
            Some((_, sum)) => sum.add(&decision),
            None => {
                self.places.insert(key, self.sums.len());
                self.sums.push((at(), Sum { whose: whose.clone(), decision, times: 1 }));
            }
        }
    }

    /// Takes it away; the next one is empty.
    fn turn(&mut self) -> Written {
        self.places.clear();
        Written {
            sums: std::mem::take(&mut self.sums),
            count: std::mem::take(&mut self.count),
            told: std::mem::take(&mut self.told),
        }
    }
}

impl Known {
    /// What is to be told of each new thing.
    fn tell(&mut self, decision: &Decision) -> Option<Told> {
        let endpoint = decision.endpoint.as_ref()?;
        let verdict = decision.verdict.word();
        let told = self.told.entry(verdict).or_default();
        let is_new = told.len() < MOST_HOSTS && told.insert(endpoint.clone());
        is_new.then(|| Told::Met { endpoint: endpoint.to_string(), verdict: verdict.to_owned() })
    }

    /// A sandbox can make up names as fast as it likes; all that come late are one to the record.
    fn tells_apart(&mut self, whose: &Arc<str>, decision: &Decision) -> bool {
        let refused = match &decision.endpoint {
            Some(endpoint) if decision.verdict != Verdict::Allowed => endpoint,
            Some(_) | None => return true,
        };
        if let Some(known) = self.refused.get_mut(whose) {
            return known.contains(refused) || known.len() < MOST_HOSTS && known.insert(refused.clone());
        }
        self.refused.insert(whose.clone(), HashSet::from([refused.clone()]));
        true
    }
}

/// What makes decisions alike.
#[derive(PartialEq, Eq, Hash)]
struct Key(Arc<str>, Option<Arc<Endpoint>>, &'static str, Option<Arc<str>>, Option<Arc<str>>, u16);

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
            port: endpoint.as_ref().map(|endpoint| endpoint.port),
            verdict: verdict.word().to_owned(),
            rule: rule.map(|rule| rule.to_string()),
            credential: credential.map(|credential| credential.to_string()),
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
