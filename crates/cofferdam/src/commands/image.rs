//! `coffer image`: images with an agent and a development environment, built and listed by the engine's own command.

mod build;
mod error;
mod list;

use std::process::Command;

use camino::Utf8PathBuf;
use coffer_launch::backend::{BackendError, oci};
use coffer_plan::facts::HostFacts;
use coffer_plan::plan::BackendKind;

use crate::cli::{Engine as Named, ImageCommand, ImageVerb};
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;
pub(crate) use error::ImageError;

pub(crate) fn image(command: &ImageCommand, printer: &Printer) -> Result<u8, Failure> {
    match &command.verb {
        ImageVerb::Build(command) => Ok(build::build(command, printer)?),
        ImageVerb::List(command) => Ok(list::list(command, printer)?),
    }
}

/// An engine that answers.
pub(super) struct Engine {
    pub(super) kind: BackendKind,
    program: Utf8PathBuf,
    /// Words that lead its program to exactly this engine.
    connection: Vec<String>,
}

impl Engine {
    /// The one that is named, or else the one that is there, Podman first. `image` may be missing.
    pub(super) fn find(facts: &mut HostFacts, named: Option<Named>, image: &str) -> Result<Self, Error> {
        let kinds = match named {
            Some(named) => vec![BackendKind::from(named)],
            None => vec![BackendKind::Podman, BackendKind::Docker],
        };
        let mut missing = BackendError::EngineMissing { kind: kinds[0] };
        for kind in kinds {
            coffer_host::look_up_engine(facts, kind, image);
            match oci::supports(kind, facts).map(drop) {
                Ok(()) | Err(BackendError::ImageMissing { .. }) => {}
                Err(error @ BackendError::EngineMissing { .. }) => {
                    missing = error;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            if let Some(engine) = &facts.engine
                && let Some(program) = &engine.program
            {
                let (program, connection) = (program.clone(), engine.connection.clone());
                return Ok(Self { kind, program, connection });
            }
        }
        Err(missing.into())
    }

    /// Its program, with no more of our environment than it needs.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(coffer_host::engine_variables()).args(&self.connection);
        command
    }

    pub(super) fn failed(&self, source: std::io::Error) -> Error {
        ImageError::Engine { program: self.program.clone(), source }.into()
    }
}
