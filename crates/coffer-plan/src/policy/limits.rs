//! Bounds on resources, with what counts where nobody says anything.

use crate::config::LimitWishes;
use crate::facts::HostFacts;
use crate::origin::Decided;
use crate::plan::{Count, Cpus, Size};

/// Far more than builds, test runs and browsers need at once (threads count, too), and far less than a machine has
/// numbers for: what it stops are fork bombs. Engines of containers take as much.
const PIDS: u32 = 4096;
/// Quarters of the machine's memory. A run that wants all of it would be ended by the kernel anyway, and so might
/// be anything else on the machine; with this it is the run alone, and what is left keeps the machine usable. A
/// smaller share would end builds that fit.
const QUARTERS: u64 = 3;

/// Bounds on resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Memory.
    pub memory: Decided<Option<Size>>,
    /// Processes.
    pub pids: Decided<Option<Count>>,
    /// Processors; nobody's but a person's word, since the kernel shares them out fairly and gives back what is not
    /// used.
    pub cpus: Decided<Option<Cpus>>,
}

/// What counts on this machine.
pub(super) fn settle(wishes: LimitWishes, facts: &HostFacts) -> Bounds {
    let share = facts.cgroups.memory.map(|all| Size(all / 4 * QUARTERS).whole());
    Bounds {
        memory: wishes.memory.settle(share),
        pids: wishes.pids.settle(Some(Count(PIDS))),
        cpus: wishes.cpus.settle(None),
    }
}
