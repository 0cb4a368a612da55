//! `coffer version`.

use crate::cli::VersionCommand;
use crate::exit::Failure;
use crate::printer::Printer;

#[derive(serde::Serialize)]
struct Version {
    schema: u32,
    name: &'static str,
    version: &'static str,
}

pub(crate) fn version(command: &VersionCommand, printer: &Printer) -> Result<u8, Failure> {
    let version = Version { schema: 1, name: "coffer", version: env!("CARGO_PKG_VERSION") };
    if command.json {
        printer.json(&version)?;
    } else {
        printer.data(&format!("{} {}", version.name, version.version))?;
    }
    Ok(0)
}
