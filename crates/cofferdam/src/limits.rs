//! The limits of a run as a person sees them: the scope that systemd makes for them, and what is said of a limit that
//! was come up against.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use camino::Utf8PathBuf;
use coffer_launch::launch::{Launch, VERB};
use coffer_launch::run::{Hit, NO_PROCESS_LEFT};
use coffer_plan::explain::UnknownLimit;
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::{Controller, Count, Means, Size};

use crate::cli::IN_SCOPE;
use crate::printer::Printer;

/// `EAGAIN`, the kernel's answer when there are too many processes.
pub(crate) const NO_MORE: i32 = rustix::io::Errno::AGAIN.raw_os_error();

/// What can go wrong about limits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    /// No limit is called so.
    #[error(transparent)]
    Unknown(#[from] UnknownLimit),
    /// The scope that holds the limits cannot be had.
    #[error("cannot start `{program}`, which makes the scope that holds the limits")]
    Scope {
        /// `systemd-run`.
        program: Utf8PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// We were started in a scope that nobody handed over.
    #[error("systemd made a scope, and we are not in it")]
    NotInScope,
    /// The agent cannot be started.
    #[error("the sandbox cannot start the agent: there are too many processes")]
    NoProcess,
}

impl LimitError {
    /// The stable code of `error[CODE]`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown-limit",
            Self::Scope { .. } | Self::NotInScope => "limits",
            Self::NoProcess => "no-process",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unknown(_) => "one of: `memory`, `pids`, `cpus`".to_owned(),
            Self::Scope { .. } | Self::NotInScope => "look whether your systemd answers, `systemctl --user status`; \
                                                      or go on without limits: `--memory none --pids none --cpus none`"
                .to_owned(),
            Self::NoProcess => NO_PROCESS_LEFT.to_owned(),
        }
    }
}

/// Starts ourselves again in a scope of the user's systemd, where the launch needs one: same process, same terminal,
/// same descriptors. Comes back only when there is nothing to enter, or it cannot be entered.
pub(crate) fn enter_scope(launch: &Launch, facts: &HostFacts, printer: &Printer) -> Result<(), LimitError> {
    let Some(Means::Scope { program, enable: _ }) = launch.means() else { return Ok(()) };
    let mut again = Command::new(program);
    again.args(["--user", "--scope", "--quiet", "--collect", "--property=Delegate=yes", "--"]);
    again.args([facts.coffer.as_str(), VERB, IN_SCOPE, &printer.words()]);
    again.args(launch.words().iter().skip(1).map(|word| escaped(word)));
    Err(LimitError::Scope { program: program.clone(), source: again.exec() })
}

/// The launch for which systemd made the scope that we are in.
pub(crate) fn in_scope(launch: Launch, facts: &HostFacts) -> Result<Launch, LimitError> {
    let own = facts.cgroups.v2_places.iter().find(|place| place.is_ours && place.can_enable);
    Ok(launch.in_scope(own.ok_or(LimitError::NotInScope)?.folder.clone()))
}

/// Versions of `systemd-run` differ in what they make of a `$`.
fn escaped(word: &str) -> String {
    word.replace('%', "%25").replace('$', "%24")
}

/// What [`escaped`] made, as it was.
pub(crate) fn unescaped(word: &str) -> String {
    word.replace("%24", "$").replace("%25", "%")
}

/// What a run is told that came up against limits; empty if it did not.
pub(crate) fn report(hits: &[Hit]) -> String {
    hits.iter().map(told).collect()
}

fn told(hit: &Hit) -> String {
    let Hit { controller, limit, times } = *hit;
    let many = |one: &str, more: &str| if times == 1 { one.to_owned() } else { format!("{times} {more}") };
    let count = |limit: u64| Count(u32::try_from(limit).unwrap_or(u32::MAX));
    let (what, came, more) = match controller {
        Controller::Memory => (
            format!("memory limit of {}", Size(limit)),
            format!("the kernel ended {}", many("a process of it", "processes of it")),
            Size(limit).twice().to_string(),
        ),
        Controller::Pids => (
            format!("limit of {} processes and threads", count(limit)),
            format!("the kernel refused to start {}", many("another one", "more")),
            count(limit).twice().to_string(),
        ),
        // It makes a run slower, and nothing else.
        Controller::Cpu => return String::new(),
    };
    let flag = controller.limit();
    format!(
        "The run came up against its {what}: {came}.\nhint: `--{flag} {more}` allows more, `--{flag} none` sets no \
         limit; `coffer why limit {flag}` says who set it\n"
    )
}

/// Whether the kernel ended something of the run for want of memory.
pub(crate) fn is_out_of_memory(hits: &[Hit]) -> bool {
    hits.iter().any(|hit| hit.controller == Controller::Memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_crosses_and_every_word_comes_back() {
        for word in ["", "plain", "$HOME", "100%", "%24", "%2524", "a$b%c$", "%%$$", "@text:%25"] {
            let crossed = escaped(word);
            assert!(!crossed.contains('$'), "{crossed}");
            assert_eq!(unescaped(&crossed), word);
        }
    }

    #[test]
    fn a_limit_is_named_with_what_to_type() {
        let hit = |controller, limit, times| Hit { controller, limit, times };
        assert_eq!(report(&[]), "");
        assert_eq!(
            report(&[hit(Controller::Memory, 64 << 20, 1)]),
            "The run came up against its memory limit of 64M: the kernel ended a process of it.\nhint: `--memory 128M` \
             allows more, `--memory none` sets no limit; `coffer why limit memory` says who set it\n"
        );
        let both = report(&[hit(Controller::Memory, 1 << 30, 3), hit(Controller::Pids, 64, 7)]);
        assert!(
            both.contains("ended 3 processes of it") && both.contains("limit of 64 processes and threads")
        );
        assert!(both.contains("refused to start 7 more") && both.contains("`--pids 128`"), "{both}");
    }
}
