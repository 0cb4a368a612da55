//! docs/reference/attacks.md: the attacks of `coffer doctor --attack`, from their table.

use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

const TOP: &str = "\
`coffer doctor --attack` makes each of these without a sandbox and in a run of each network tier \
([the threat model](../threat-model.md)). None changes anything that the test does not own. What grants an attack is \
the entry of a plan that explains its success; where that is nothing, it must be blocked.
";

pub(super) fn pages(_tree: &Tree) -> Result<Vec<Page>, Error> {
    let table = cofferdam::attack_table();
    let count = table.len();
    let rows = table
        .iter()
        .map(|[name, class, tries, grant]| format!("| `{name}` | {class} | {tries} | {grant} |\n"));
    let contents = format!(
        "# Attacks\n\nMade by `{COMMAND}`.\n\n{TOP}\n{count} attacks:\n\n\
         | attack | class | what it tries | granted by |\n|---|---|---|---|\n{}",
        rows.collect::<String>()
    );
    Ok(vec![Page { path: "docs/reference/attacks.md".to_owned(), contents }])
}
