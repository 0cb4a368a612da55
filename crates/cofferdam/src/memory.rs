//! What this process holds in memory stays there: no core dump, no debugger of another process.

use std::io;
use std::process::Child;

use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, getrlimit, prlimit, set_dumpable_behavior, setrlimit,
};

/// A limit below the smallest dump. Of all numbers it is the one that also keeps the kernel from handing a dump
/// to a program (`|` in `core_pattern`); with 0 it would.
const NO_DUMP: u64 = 1;

/// Keeps logins and keys out of core dumps, and out of reach for other processes of the user's. Programs that are
/// started from here are as they always were: the mark ends where another program begins.
pub(crate) fn keep_private() {
    // Refused for unknown words only.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// No dumps of a program that holds a login by our doing, nor of what it starts.
pub(crate) fn without_dumps(child: &Child) -> io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Core, limit())?;
    Ok(())
}

/// No dumps of any program that is started from here on.
pub(crate) fn no_dumps_of_programs() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    if maximum.is_none_or(|maximum| maximum >= NO_DUMP) {
        // A limit may always be lowered.
        let _ = setrlimit(Resource::Core, limit());
    }
}

fn limit() -> Rlimit {
    Rlimit { current: Some(NO_DUMP), maximum: Some(NO_DUMP) }
}
