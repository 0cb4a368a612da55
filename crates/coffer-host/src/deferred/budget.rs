//! What a look at a project may cost: names and time, whatever an agent left there.

use std::time::{Duration, Instant};

use coffer_plan::deferred::ScanBounds;
use coffer_plan::facts::ScanStopped;

/// So many entries are looked at between two looks at the clock.
const BREATH: u64 = 1024;

/// The names and the time that are left.
pub(super) struct Budget {
    most: u64,
    most_time: Duration,
    until: Instant,
    /// Names that were looked at.
    pub(super) entries: u64,
    /// Why not everything was looked at, if so.
    pub(super) stopped: Option<ScanStopped>,
}

/// There is nothing left.
#[derive(Debug)]
pub(super) struct Spent;

impl Budget {
    pub(super) fn new(bounds: &ScanBounds) -> Self {
        let most_time = Duration::from_millis(bounds.most_ms);
        let until = Instant::now() + most_time;
        Self { most: bounds.most_entries, most_time, until, entries: 0, stopped: None }
    }

    /// As much again: a project full of files must not keep its repositories from being looked at.
    pub(super) fn renew(&mut self, bounds: &ScanBounds) {
        self.most = self.entries + bounds.most_entries;
        self.until = Instant::now() + self.most_time;
    }

    /// Pays for one name.
    pub(super) fn entry(&mut self) -> Result<(), Spent> {
        self.entries += 1;
        if self.entries > self.most {
            self.stopped = Some(ScanStopped::Entries);
        } else if self.entries.is_multiple_of(BREATH) && Instant::now() > self.until {
            self.stopped = Some(ScanStopped::Time);
        } else {
            return Ok(());
        }
        Err(Spent)
    }

    /// Whether there is time for one more repository.
    pub(super) fn repository(&mut self) -> Result<(), Spent> {
        if Instant::now() > self.until {
            self.stopped = Some(ScanStopped::Time);
            return Err(Spent);
        }
        self.entry()
    }

    /// Something that does not end the look was left out.
    pub(super) fn left_out(&mut self, why: ScanStopped) {
        self.stopped.get_or_insert(why);
    }
}
