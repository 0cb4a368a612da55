//! `coffer status --watch`: drawn anew when something changes, and as time goes by; asleep in between.

use camino::Utf8PathBuf;
use coffer_sys::signals::SignalEvents;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::error::Error;

/// The table counts in minutes.
const MINUTE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };
/// Changes come in bursts (a temporary file, a rename, a lock): this much after the last one it is drawn.
const BURST: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// A burst that does not end is drawn after so many parts of it.
const PARTS: usize = 10;

/// Draws until Ctrl-C (or `kill`) ends it. `draw` says which folders to watch from then on.
pub(super) fn watch(mut draw: impl FnMut() -> Result<Vec<Utf8PathBuf>, Error>) -> Result<(), Error> {
    let failed = |source| Error::Watch { source };
    let signals = SignalEvents::block(&[Signal::INT, Signal::TERM, Signal::HUP]).map_err(failed)?;
    let mut watched = Watched::new().map_err(|errno| failed(errno.into()))?;
    loop {
        // What changed before a folder was under watch is drawn now.
        let places = draw()?;
        if watched.add(places).map_err(|errno| failed(errno.into()))? {
            draw()?;
        }
        if waits(&signals, &watched).map_err(|errno| failed(errno.into()))? {
            // Taken, so that it does not end us when it is let through again.
            while signals.next().map_err(failed)?.is_some() {}
            return Ok(());
        }
    }
}

/// Sleeps until something changed or a minute is over. True: to be ended.
fn waits(signals: &SignalEvents, watched: &Watched) -> Result<bool, Errno> {
    let mut patience = MINUTE;
    for _ in 0..PARTS {
        let mut ready = [PollFd::new(signals, PollFlags::IN), PollFd::new(&watched.inotify, PollFlags::IN)];
        match poll(&mut ready, Some(&patience)) {
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
            Ok(0) => return Ok(false),
            Ok(_) => {}
        }
        if !ready[0].revents().is_empty() {
            return Ok(true);
        }
        watched.drain()?;
        patience = BURST;
    }
    Ok(false)
}

/// Folders under watch.
struct Watched {
    inotify: OwnedFd,
    places: Vec<Utf8PathBuf>,
}

impl Watched {
    fn new() -> Result<Self, Errno> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, places: Vec::new() })
    }

    /// Watches folders, and what is not there yet by the nearest folder that is. True when one is new.
    fn add(&mut self, places: Vec<Utf8PathBuf>) -> Result<bool, Errno> {
        let flags = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        let mut new = false;
        let mut now = Vec::new();
        for place in places {
            let there = place.ancestors().find(|folder| folder.is_dir());
            let Some(there) = there.map(camino::Utf8Path::to_owned).filter(|folder| !now.contains(folder))
            else {
                continue;
            };
            match inotify::add_watch(&self.inotify, there.as_str(), flags) {
                Ok(_) => {
                    new |= !self.places.contains(&there);
                    now.push(there);
                }
                // It may not be read, or is gone again: then it is looked at once a minute.
                Err(Errno::ACCESS | Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.places = now;
        Ok(new)
    }

    fn drain(&self) -> Result<(), Errno> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.inotify, &mut buffer);
        loop {
            match events.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
}
