//! What generated files, their keeper and their services can fail with.

use std::io;

use camino::Utf8PathBuf;
use coffer_plan::image::ImageError;
use coffer_plan::stack::BadService;

/// What generated files, their keeper and their services can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    /// Files are there already, with another content.
    #[error("`{path}` is there already, and would be another one")]
    Exists {
        /// The first of them.
        path: Utf8PathBuf,
        /// Where all of it was to be written.
        out: Utf8PathBuf,
    },
    /// No such image can be described.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A folder whose name names no service.
    #[error(transparent)]
    Service(#[from] BadService),
    /// A project is no folder.
    #[error("`{path}` is no folder")]
    NoFolder {
        /// Its path.
        path: Utf8PathBuf,
    },
    /// The files would be a project's own, and an agent could change them.
    #[error("the files would lie at the top of the project `{path}`, where its service may change them")]
    InTheProject {
        /// The project.
        path: Utf8PathBuf,
    },
    /// Two services or projects would have one name.
    #[error("two of them would be called `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// The variant needs what was not said.
    #[error("there is no project that could be written, so there would be no service")]
    NoService,
    /// The keeper's loop or the gateway ended by itself.
    #[error("`coffer {name}` ended, so the keeper ends")]
    MemberLost {
        /// Which.
        name: &'static str,
    },
    /// The gateway does not answer.
    #[error("the gateway does not answer at `{socket}`")]
    Silent {
        /// Its socket.
        socket: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no door.
    #[error("there is no door in `{folder}`")]
    NoDoor {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// The command of a service is not there, or cannot be executed.
    #[error("cannot run `{program}` in this service")]
    Command {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A command cannot be started in its service.
    #[error("cannot {action}")]
    Enter {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl StackError {
    /// The stable code of `error[CODE]`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "file-exists",
            Self::Image(_) => "image",
            Self::Service(_) | Self::SameName { .. } => "service-name",
            Self::NoFolder { .. } | Self::InTheProject { .. } => "project",
            Self::NoService => "no-service",
            Self::MemberLost { .. } => "keeper-lost",
            Self::Silent { .. } | Self::NoDoor { .. } => "gateway-silent",
            Self::Command { .. } => "command",
            Self::Enter { .. } => "enter",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { path, out } => Some(format!(
                "look at the difference above; `rm {path}` if the new one is wanted, or another folder than `{out}`: `--out DIR`"
            )),
            Self::Image(error) => Some(error.hint()),
            Self::Service(_) => {
                Some("`--service one`, or a link to the folder with a plainer name".to_owned())
            }
            Self::SameName { .. } => {
                Some("one name each; a link to a folder may have another name".to_owned())
            }
            Self::InTheProject { .. } => Some("a folder of their own: `--out DIR`".to_owned()),
            Self::NoFolder { path } => Some(format!("`mkdir -p {path}`")),
            Self::NoService => Some("`--project PATH`, besides those with `:ro`".to_owned()),
            Self::MemberLost { .. } => {
                Some("its last words are above; `docker-compose up -d` starts it again".to_owned())
            }
            Self::Silent { .. } | Self::NoDoor { .. } => {
                Some("`docker-compose ps`; `docker-compose logs keeper`".to_owned())
            }
            Self::Command { program, .. } => Some(format!(
                "`command -v {program}` looks for it there; more gets in by `images/agent.Containerfile`"
            )),
            Self::Enter { .. } => Some(
                "it is for the services of `coffer init compose`; `--door` and `--port` lead elsewhere"
                    .to_owned(),
            ),
        }
    }

    /// Whether the command line is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. }
            | Self::Image(_)
            | Self::Service(_)
            | Self::SameName { .. }
            | Self::NoFolder { .. }
            | Self::InTheProject { .. }
            | Self::NoService => true,
            Self::MemberLost { .. }
            | Self::Silent { .. }
            | Self::NoDoor { .. }
            | Self::Command { .. }
            | Self::Enter { .. } => false,
        }
    }
}
