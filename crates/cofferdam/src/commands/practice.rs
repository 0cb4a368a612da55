//! `coffer try`: placeholder while wiring.
use crate::cli::TryCommand;
use crate::exit::Failure;
use crate::printer::Printer;

pub(crate) fn practice(_: &TryCommand, _: &Printer) -> Result<u8, Failure> {
    Ok(0)
}
