//! `coffer-init [--control-fd N | --control-socket PATH] [--gateway-fd N] [--listen ADDRESS:PORT]… [--verify DEV:INO:PATH | --verify-ro DEV:INO:PATH | --verify-mount PATH]…
//! [--may-mount PATH | --may-mount-below PATH]… [--system-calls strict|nesting]
//! [--landlock ABI [--landlock-list PATH | --landlock-read PATH | --landlock-write PATH | --landlock-devices PATH]…] --
//! COMMAND [ARG…]`

use crate::failure::Failure;
use crate::filter::SystemCalls;
use crate::foreseen::Foreseen;
use crate::landlock::{Landlock, Rule};
use crate::verify::Demand;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// How the host is reached, if it is.
    pub(crate) control: Option<Control>,
    /// The number of the inherited socket that leads to the gateway.
    pub(crate) gateway: Option<RawFd>,
    /// Where the gateway listens inside.
    pub(crate) listen: Vec<SocketAddr>,
    /// What has to be true before the agent starts.
    pub(crate) demands: Vec<Demand>,
    /// What may be mounted besides that; anything may, if nothing is said.
    pub(crate) foreseen: Foreseen,
    /// Which system calls the agent is refused; all that there are rules for, if nothing is said.
    pub(crate) system_calls: SystemCalls,
    /// What may be opened.
    pub(crate) landlock: Landlock,
    pub(crate) command: AgentCommand,
}

/// How the host is reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// By an inherited socket of this number.
    Inherited(RawFd),
    /// By a socket to connect to. What else init would inherit comes with the start then.
    Path(OsString),
}

/// The agent's program and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AgentCommand {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut words = words.into_iter();
        let (mut control, mut gateway, mut system_calls) = (None, None, None);
        let (mut listen, mut demands, mut landlock) = (Vec::new(), Vec::new(), Landlock::default());
        let mut foreseen = Foreseen::default();
        loop {
            let word = words.next().ok_or(Failure::Usage)?;
            match word.to_str() {
                Some("--control-fd") if control.is_none() => {
                    control = Some(Control::Inherited(descriptor(words.next())?));
                }
                Some("--control-socket") if control.is_none() => {
                    let path = words.next().filter(|path| path.as_bytes().starts_with(b"/"));
                    control = Some(Control::Path(path.ok_or(Failure::Usage)?));
                }
                Some("--gateway-fd") if gateway.is_none() => gateway = Some(descriptor(words.next())?),
                Some("--listen") => {
                    let address = words.next().and_then(|word| word.to_str()?.parse().ok());
                    listen.push(address.ok_or(Failure::Usage)?);
                }
                Some("--system-calls") if system_calls.is_none() => {
                    let kind = words.next().and_then(|word| SystemCalls::parse(word.to_str()?));
                    system_calls = Some(kind.ok_or(Failure::Usage)?);
                }
                Some("--landlock") if landlock.abi.is_none() => {
                    let version = words.next().and_then(|word| word.to_str()?.parse().ok());
                    landlock.abi = Some(version.ok_or(Failure::Usage)?);
                }
                Some(option) if option.starts_with("--landlock-") => {
                    let rule = words.next().and_then(|word| Rule::parse(option, word));
                    landlock.rules.push(rule.ok_or(Failure::Usage)?);
                }
                Some(option @ ("--may-mount" | "--may-mount-below")) => {
                    let path = words.next().filter(|path| path.as_bytes().starts_with(b"/"));
                    foreseen.add(option, path.ok_or(Failure::Usage)?);
                }
                Some("--") => break,
                Some(option) => {
                    let demand = words.next().and_then(|word| Demand::parse(option, word));
                    demands.push(demand.ok_or(Failure::Usage)?);
                }
                None => return Err(Failure::Usage),
            }
        }
        let program = words.next().ok_or(Failure::Usage)?;
        let command = AgentCommand { program, arguments: words.collect() };
        let later = matches!(control, Some(Control::Path(_)));
        // It comes with the start then.
        if later && gateway.is_some() {
            return Err(Failure::Usage);
        }
        // Nobody else could take what comes in, and rules of nothing close nothing.
        if gateway.is_none() && !later && !listen.is_empty()
            || landlock.abi.is_none() && !landlock.rules.is_empty()
        {
            return Err(Failure::Usage);
        }
        Ok(Self {
            control,
            gateway,
            listen,
            demands,
            foreseen,
            system_calls: system_calls.unwrap_or_default(),
            landlock,
            command,
        })
    }
}

fn descriptor(word: Option<OsString>) -> Result<RawFd, Failure> {
    let number = word.and_then(|word| word.to_str()?.parse::<RawFd>().ok());
    number.filter(|number| *number > 2).ok_or(Failure::Usage)
}

#[cfg(test)]
mod tests {
    use super::{AgentCommand, Arguments, Control, Demand, Foreseen, Landlock, Rule, SystemCalls};

    fn parse(words: &[&str]) -> Option<Arguments> {
        Arguments::parse(words.iter().map(Into::into)).ok()
    }

    #[test]
    fn the_command_stands_after_the_dashes_as_it_is() {
        let command = AgentCommand { program: "sh".into(), arguments: vec!["--".into(), "-c".into()] };
        let parsed = parse(&["--control-fd", "7", "--", "sh", "--", "-c"]);
        let parsed = parsed.unwrap();
        assert_eq!((parsed.control, parsed.command), (Some(Control::Inherited(7)), command));
        let command = AgentCommand { program: "--control-fd".into(), arguments: vec![] };
        let expected = Arguments {
            control: None,
            gateway: None,
            listen: vec![],
            demands: vec![],
            foreseen: Foreseen::default(),
            system_calls: SystemCalls::Strict,
            landlock: Landlock::default(),
            command,
        };
        assert_eq!(parse(&["--", "--control-fd"]), Some(expected));
    }

    #[test]
    fn the_gateway_listens_where_it_is_told_to_in_that_order() {
        let words = ["--gateway-fd", "8", "--listen", "127.0.0.1:9", "--listen", "[::1]:7", "--", "sh"];
        let parsed = parse(&words).unwrap();
        let addresses = ["127.0.0.1:9", "[::1]:7"].map(|text| text.parse().unwrap());
        assert_eq!((parsed.gateway, parsed.listen), (Some(8), addresses.to_vec()));
    }

    #[test]
    fn a_socket_to_connect_to_brings_the_gateway_along() {
        let parsed = parse(&["--control-socket", "/run/c", "--listen", "127.0.0.1:9", "--", "sh"]).unwrap();
        assert_eq!(parsed.control, Some(Control::Path("/run/c".into())));
        assert_eq!((parsed.gateway, parsed.listen.len()), (None, 1));
    }

    #[test]
    fn demands_stand_before_the_dashes_in_any_order() {
        let words = ["--verify", "1:2:/a", "--control-fd", "7", "--verify-mount", "/b", "--", "--verify"];
        let parsed = parse(&words).unwrap();
        let demands = [("--verify", "1:2:/a"), ("--verify-mount", "/b")];
        let demands = demands.map(|(option, word)| Demand::parse(option, word.into()).unwrap());
        assert_eq!((parsed.control, parsed.demands), (Some(Control::Inherited(7)), demands.to_vec()));
        assert_eq!(parsed.command.program, "--verify");
    }

    #[test]
    fn every_rule_counts_unless_it_is_said_otherwise() {
        let said = |words: &[&str]| parse(words).unwrap().system_calls;
        assert_eq!(said(&["--", "sh"]), SystemCalls::Strict);
        assert_eq!(said(&["--system-calls", "strict", "--", "sh"]), SystemCalls::Strict);
        assert_eq!(said(&["--system-calls", "nesting", "--", "sh"]), SystemCalls::Nesting);
    }

    #[test]
    fn what_may_be_opened_is_named_path_by_path() {
        let words = ["--landlock", "7", "--landlock-read", "/usr", "--landlock-write", "/w", "--", "sh"];
        let rules = [("--landlock-read", "/usr"), ("--landlock-write", "/w")];
        let rules = rules.map(|(option, path)| Rule::parse(option, path.into()).unwrap());
        assert_eq!(parse(&words).unwrap().landlock, Landlock { abi: Some(7), rules: rules.into() });
    }

    #[test]
    fn anything_else_is_refused() {
        for words in [
            &[][..],
            &["--"],
            &["sh"],
            &["--control-fd"],
            &["--control-fd", "1", "--", "sh"],
            &["--control-fd", "-5", "--", "sh"],
            &["--control-fd", "x", "--", "sh"],
            &["--control-fd", "4", "--control-fd", "5", "--", "sh"],
            &["--control-socket"],
            &["--control-socket", "run/control", "--", "sh"],
            &["--control-socket", "/a", "--control-fd", "4", "--", "sh"],
            &["--control-socket", "/a", "--gateway-fd", "8", "--", "sh"],
            &["--gateway-fd", "2", "--", "sh"],
            &["--listen", "127.0.0.1:9", "--", "sh"],
            &["--gateway-fd", "8", "--listen", "9", "--", "sh"],
            &["--verify"],
            &["--verify", "--", "sh"],
            &["--verify-mount", "x", "--", "sh"],
            &["--may-mount", "x", "--", "sh"],
            &["--may-mount-below", "--", "sh"],
            &["--what", "1:2:/x", "--", "sh"],
            &["--system-calls", "--", "sh"],
            &["--landlock", "x", "--", "sh"],
            &["--landlock-read", "/usr", "--", "sh"],
            &["--landlock", "7", "--landlock-all", "/usr", "--", "sh"],
            &["--system-calls", "none", "--", "sh"],
            &["--system-calls", "nesting", "--system-calls", "strict", "--", "sh"],
        ] {
            assert_eq!(parse(words), None, "{words:?}");
        }
    }
}
