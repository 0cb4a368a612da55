//! docs/guides/doctor.md: what `coffer doctor` looks at, from its own registry.

use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

const TOP: &str = "\
`coffer doctor` looks at this machine, the agent, and every account, and says of each thing that is wrong what was \
seen, why it matters, and the command that mends it. It changes nothing, asks no server, and prints no secret.

    coffer doctor              # exit code 0: nothing above a note; 1: something to mend
    coffer doctor --json       # docs/reference/doctor.schema.json
    coffer doctor --fix        # shows what it can mend itself, asks, and mends it (`--yes` does not ask)
    coffer doctor --run ID     # from inside a live run, by its id or the beginning of it
    coffer doctor --attack     # attacks the sandbox; exit code 1: something succeeds that no plan grants

**The engines.** First there is a line for podman and one for docker: whether it is there and can be used for \
`coffer run --backend`, its version, whether it is rootless, the limits that it can hold, and what is missing with the fix, the \
agent's image among it. They are asked as a run asks them, with `podman info` and `docker version`, and what they lack is no finding: \
it does not change the exit code.

**What `--fix` does.** It takes away the rights of others on files and folders that are yours, removes what dead \
runs left, and removes an abandoned lock of the agent as the keeper would: when its owner is proven dead, or when the \
agent itself would break it; the ledger says so. Each fix is shown as a command first. Everything else is for you to type.

**What `--run` tells.** The credential files inside with modes, owners and ends; whether the lease inside is the file \
that the host publishes to; `userID` and `lastSessionId`; the uid and gid inside; and the *names* of variables that \
begin with `CLAUDE_` or `ANTHROPIC_`. It reads below the sandbox's own root by descriptors, follows no link and waits \
for nothing, since an agent may have written all of it.

**What `--attack` does.** It makes some 225 harmless attacks in a machine of namespaces with a home, a login and \
services that are made up: without a sandbox first, to show that each can succeed here, then in a run of each network \
tier ([the threat model](../threat-model.md), [the attacks](../reference/attacks.md), \
`--json`: docs/reference/attack.schema.json). Nothing of yours takes part, and nothing leaves the machine. \
It attacks bubblewrap's sandboxes; containers of podman and docker are attacked by the tests (`./x test -E 'test(attacks::containers)'`), \
with an engine that is in that machine, too: your own engine's records and daemon are none of the attack's business.

Whether the API takes a credential is another question: `coffer status --probe` lets the genuine agent ask it.
";

pub(super) fn pages(_tree: &Tree) -> Result<Vec<Page>, Error> {
    let checks = cofferdam::doctor_checks();
    let cell = |text: &str| text.replace('|', "\\|");
    let rows = checks.iter().map(|[id, severity, what, why, fix]| {
        format!("| `{id}` | {severity} | {} | {} | {} |\n", cell(what), cell(why), cell(fix))
    });
    let contents = format!(
        "# Doctor\n\nMade by `{COMMAND}`.\n\n{TOP}\n## The checks\n\n\
         | id | as a rule | looks for | why | what mends it |\n|---|---|---|---|---|\n{}",
        rows.collect::<String>()
    );
    Ok(vec![Page { path: "docs/guides/doctor.md".to_owned(), contents }])
}
