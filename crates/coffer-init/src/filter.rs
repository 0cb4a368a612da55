//! Which system calls the agent is refused: the filters that `build.rs` has compiled.

use coffer_sys::confine::Instruction;

/// Which of them the agent gets. Init itself has none: it answers the host, and makes sockets for the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SystemCalls {
    /// All rules.
    #[default]
    Strict,
    /// Without those that `--allow-nesting` lifts.
    Nesting,
}

impl SystemCalls {
    /// The word on the command line.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "strict" => Some(Self::Strict),
            "nesting" => Some(Self::Nesting),
            _ => None,
        }
    }

    pub(crate) fn filter(self) -> &'static [Instruction] {
        match self {
            Self::Strict => compiled::STRICT,
            Self::Nesting => compiled::NESTING,
        }
    }
}

/// Made by `build.rs`.
mod compiled {
    use coffer_sys::confine::Instruction;

    include!(concat!(env!("OUT_DIR"), "/filters.rs"));
}

#[cfg(test)]
mod tests;
