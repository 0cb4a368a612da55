//! Limits that a container came up against, as its own group counts them: who asks from outside comes too late, when
//! the engine has removed the group.

use coffer_sys::control::FromInit;

/// Where an engine shows the group. Nobody inside can write there.
const GROUP: &str = "/sys/fs/cgroup";
/// The counters, in version 2 and in version 1: the file, and the word in it.
const MEMORY: [(&str, &str); 2] = [("memory.events", "oom_kill"), ("memory/memory.oom_control", "oom_kill")];
const PIDS: [(&str, &str); 2] = [("pids.events", "max"), ("pids/pids.events", "max")];

/// What was counted; `None` if nothing was.
pub(crate) fn read() -> Option<FromInit> {
    let (memory, pids) = (count(&MEMORY), count(&PIDS));
    (memory > 0 || pids > 0).then_some(FromInit::Hits { memory, pids })
}

fn count(counters: &[(&str, &str)]) -> u32 {
    let of = |(file, word): &(&str, &str)| {
        let text = std::fs::read_to_string(format!("{GROUP}/{file}")).ok()?;
        number(&text, word)
    };
    counters.iter().find_map(of).unwrap_or(0)
}

/// The number behind a word.
fn number(text: &str, word: &str) -> Option<u32> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == word)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn the_word_is_the_whole_word() {
        let text = "low 0\noom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(number(text, "oom_kill"), Some(3));
        assert_eq!((number(text, "oom"), number(text, "max"), number("max x", "max")), (None, None, None));
    }
}
