//! Writes down what was done with keys: what is alike is summed up, so that no number of requests fills the disc.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coffer_keys::serve::{Used, Verdict};
use coffer_ledger::{Event, Ledger};
use jiff::Timestamp;

use super::Sum;

/// What follows is gathered for so long before it is written.
const TOGETHER: Duration = Duration::from_millis(200);
/// The most keys that are told apart.
const MOST_KEYS: usize = 64;

type Sums = BTreeMap<(&'static str, Used), u64>;

/// Takes notes.
pub(super) struct Recorder {
    desk: Arc<Desk>,
    writer: JoinHandle<()>,
}

#[derive(Default)]
struct Desk {
    page: Mutex<Page>,
    news: Condvar,
}

#[derive(Default)]
struct Page {
    /// Not written yet.
    new: Sums,
    all: Sums,
    keys: BTreeSet<String>,
    ended: bool,
}

impl Desk {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only takes notes.
#[derive(Clone)]
pub(super) struct Pen(Arc<Desk>);

impl Pen {
    pub(super) fn note(&self, agent: &'static str, used: &Used) {
        let mut page = self.0.page();
        let mut used = used.clone();
        used.key = used.key.filter(|key| {
            page.keys.contains(key) || page.keys.len() < MOST_KEYS && page.keys.insert(key.clone())
        });
        *page.new.entry((agent, used.clone())).or_default() += 1;
        *page.all.entry((agent, used)).or_default() += 1;
        drop(page);
        self.0.news.notify_one();
    }
}

impl Recorder {
    pub(super) fn start(run: &str, ledger: Ledger) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (own, run) = (desk.clone(), run.to_owned());
        let writer = thread::Builder::new().name("record".to_owned());
        let writer = writer.spawn(move || write(&own, &run, &ledger))?;
        Ok(Self { desk, writer })
    }

    pub(super) fn pen(&self) -> Pen {
        Pen(self.desk.clone())
    }

    /// Writes the rest; all that was done.
    pub(super) fn finish(self) -> Vec<Sum> {
        self.desk.page().ended = true;
        self.desk.news.notify_one();
        // If it fell over, the standard library has said so.
        drop(self.writer.join());
        let page = self.desk.page();
        page.all
            .iter()
            .map(|((agent, Used { what, key, verdict }), times)| Sum {
                agent: (*agent).to_owned(),
                what: (*what).to_owned(),
                key: key.clone(),
                verdict: verdict.word().to_owned(),
                times: *times,
            })
            .collect()
    }
}

fn write(desk: &Desk, run: &str, ledger: &Ledger) {
    loop {
        let waits = |page: &mut Page| page.new.is_empty() && !page.ended;
        let page = desk.news.wait_while(desk.page(), waits).unwrap_or_else(PoisonError::into_inner);
        let more = desk.news.wait_timeout_while(page, TOGETHER, |page| !page.ended);
        let mut page = more.unwrap_or_else(PoisonError::into_inner).0;
        let (sums, ended) = (std::mem::take(&mut page.new), page.ended);
        drop(page);
        let at = Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
        let events: Vec<(Timestamp, Event)> =
            sums.into_iter().map(|(of, times)| (at, event(run, of, times))).collect();
        // A ledger that cannot be written stops no run; `coffer ledger verify` finds what is wrong with it.
        let _ = ledger.append_all(events);
        if ended {
            break;
        }
    }
}

fn event(run: &str, (agent, used): (&'static str, Used), times: u64) -> Event {
    let Used { what, key, verdict } = used;
    Event::KeyUsed {
        run: run.to_owned(),
        agent: agent.to_owned(),
        what: what.to_owned(),
        key,
        verdict: Verdict::word(verdict).to_owned(),
        times,
    }
}
