//! Writes down what the gateway decides: all of it in the ledger, each new thing to the one who supervises the run.
//!
//! The threads that serve only put it into a queue. One thread takes out what is there and writes it in one go, so
//! that a sync of the disc is waited for once for all that came meanwhile. When more comes than can be written, what
//! is alike is summed up.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use coffer_gateway::record::{Decision, Record};
use coffer_ledger::{Event, Ledger};
use jiff::Timestamp;

use super::Told;

/// From how many on what is alike is summed up.
const MANY: usize = 256;
/// The most hosts that are told.
const MOST_HOSTS: usize = 1000;

/// Takes decisions from the threads that serve.
pub(super) struct Recorder(Sender<(Timestamp, Decision)>);

/// The thread that writes.
pub(super) struct Writer(JoinHandle<()>);

impl Writer {
    /// Waits until all is written; everybody who records must be gone.
    pub(super) fn finish(self) {
        // If it fell over, what it had is lost, and the standard library has said so.
        drop(self.0.join());
    }
}

/// Starts to write down.
pub(super) fn recorder(run: String, ledger: Ledger) -> std::io::Result<(Recorder, Writer)> {
    let (sender, queue) = channel();
    let writer = std::thread::Builder::new().name("record".to_owned());
    let writer = writer.spawn(move || write(&run, &ledger, &queue))?;
    Ok((Recorder(sender), Writer(writer)))
}

impl Record for Recorder {
    fn decided(&self, decision: Decision) {
        let at = Timestamp::from_millisecond(coffer_host::now_ms()).unwrap_or_default();
        // Nobody hears it any more when the gateway ends.
        let _ = self.0.send((at, decision));
    }
}

/// Tells the one who supervises the run; gone, it has nobody to tell.
pub(super) fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(&line).and_then(|()| output.flush());
}

fn write(run: &str, ledger: &Ledger, queue: &Receiver<(Timestamp, Decision)>) {
    let mut met = BTreeSet::new();
    let mut failing = false;
    while let Ok(first) = queue.recv() {
        let mut all = vec![(first.0, event(run, first.1, &mut met))];
        for (at, decision) in queue.try_iter() {
            let event = event(run, decision, &mut met);
            let last = all.len().saturating_sub(MANY);
            let alike =
                (all.len() >= MANY).then(|| all[last..].iter_mut().find_map(|(_, known)| sum(known, &event)));
            if alike.flatten().is_none() {
                all.push((at, event));
            }
        }
        if let Err(error) = ledger.append_all(all)
            && !failing
        {
            failing = true;
            tell(&Told::NotRecorded { message: error.to_string() });
        }
    }
}

/// Adds an event to one that is alike, if it is.
fn sum(known: &mut Event, new: &Event) -> Option<()> {
    let key = |event: &Event| match event {
        Event::GatewayDecided { host, port, verdict, rule, credential, status, .. } => {
            Some((host.clone(), *port, verdict.clone(), rule.clone(), credential.clone(), *status))
        }
        _ => None,
    };
    if key(known) != key(new) {
        return None;
    }
    if let (
        Event::GatewayDecided { sent, received, ms, times, .. },
        Event::GatewayDecided { sent: more_sent, received: more_received, ms: more_ms, times: more, .. },
    ) = (known, new)
    {
        *sent += more_sent;
        *received += more_received;
        *ms += more_ms;
        *times += more;
    }
    Some(())
}

fn event(run: &str, decision: Decision, met: &mut BTreeSet<(String, String)>) -> Event {
    let Decision { endpoint, verdict, rule, credential, status, sent, received, milliseconds } = decision;
    let verdict = verdict.word().to_owned();
    if let Some(endpoint) = &endpoint
        && met.len() < MOST_HOSTS
        && met.insert((endpoint.to_string(), verdict.clone()))
    {
        tell(&Told::Met { endpoint: endpoint.to_string(), verdict: verdict.clone() });
    }
    Event::GatewayDecided {
        run: run.to_owned(),
        host: endpoint.as_ref().map(|endpoint| endpoint.host.to_string()),
        port: endpoint.map(|endpoint| endpoint.port),
        verdict,
        rule,
        credential,
        status,
        sent,
        received,
        ms: milliseconds,
        times: 1,
    }
}
