//! Files that work alone: a compose file or a development container with services that have an agent, and a keeper
//! beside them that alone has the logins and a network.
//!
//! What is rendered here is text; nothing of it is secret. The templates lie in `stack/`.

mod readme;
mod seeds;
#[cfg(test)]
mod tests;
mod text;

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

use crate::agent::Agent;
use crate::image::Recipe;
use crate::plan::NetworkTier;
pub use seeds::State;
use text::{fill, quoted};

/// The port of a service's loopback that leads to the gateway.
pub const PORT: u16 = 8377;
/// The folder of a door that tells what to set; a shell can read it in.
pub const ENVIRONMENT: &str = "environment";
/// The socket of a door.
pub const SOCKET: &str = "gateway.sock";
/// Where the program lies that goes into both images, below the folder with the compose file.
pub const PROGRAM: &str = "images/coffer";
/// Longest name of a service.
const LONGEST: usize = 40;
/// The service that keeps.
const KEEPER: &str = "keeper";

/// The name of a service, fit for a host, a volume and a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName(String);

/// A word that names no service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` names no service: expected small letters, digits and `-`, a letter first, and not `{KEEPER}`"
)]
pub struct BadService {
    /// What was said.
    pub word: String,
}

impl FromStr for ServiceName {
    type Err = BadService;

    fn from_str(text: &str) -> Result<Self, BadService> {
        let is_plain = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-';
        let fits = text.len() <= LONGEST
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(is_plain)
            && text != KEEPER;
        if fits { Ok(Self(text.to_owned())) } else { Err(BadService { word: text.to_owned() }) }
    }
}

impl ServiceName {
    /// After a folder: what does not fit a name is left out or becomes `-`.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn of_folder(folder: &Utf8Path) -> Result<Self, BadService> {
        let name = folder.file_name().unwrap_or_default().to_ascii_lowercase();
        let fit: String =
            name.chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
        let fit = fit.trim_start_matches(|one: char| !one.is_ascii_lowercase());
        let fit = fit.get(..LONGEST).unwrap_or(fit).trim_end_matches('-');
        fit.parse().map_err(|_| BadService { word: folder.to_string() })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// A project that a service sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder, relative to the compose file or absolute.
    pub source: Utf8PathBuf,
    /// Its name below `/projects`.
    pub name: ServiceName,
    /// Whether the service only reads it.
    pub read_only: bool,
}

impl Project {
    fn target(&self) -> String {
        format!("/projects/{}", self.name)
    }
}

/// A container with the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// The account that signs it in.
    pub account: String,
    /// What it sees; it works in the first one.
    pub projects: Vec<Project>,
    /// Where it sees the generated files themselves, because they lie in a project that it writes: there it only reads
    /// them, or what it writes would be what is started next time.
    pub kept: Vec<Utf8PathBuf>,
}

/// For whom the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// People who call `docker-compose`.
    Compose,
    /// Editors that open a folder in a container; there is one service.
    Editor,
}

/// Services, and the keeper beside them.
#[derive(Debug, Clone)]
pub struct Stack {
    /// What its images are named after.
    pub name: ServiceName,
    /// For whom it is.
    pub kind: For,
    /// The agent.
    pub agent: Agent,
    /// Its own files in a service, and the first content of them.
    pub state: Option<State>,
    /// What the services' image is made of.
    pub image: Recipe,
    /// What the keeper's image is made of.
    pub keeper_image: Recipe,
    /// As whom all of it runs: user and group.
    pub ids: (u32, u32),
    /// Whom the services reach.
    pub network: NetworkTier,
    /// The services; at least one.
    pub services: Vec<Service>,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where, below the folder that is written to.
    pub path: Utf8PathBuf,
    /// What.
    pub text: String,
}

impl Stack {
    /// The folder with the compose file, below the one that is written to.
    pub fn folder(&self) -> &'static str {
        match self.kind {
            For::Compose => "",
            For::Editor => ".devcontainer",
        }
    }

    /// All files but the program.
    pub fn files(&self) -> Vec<File> {
        let mut files = vec![
            ("compose.yaml", self.compose()),
            ("README.md", self.readme()),
            (".gitignore", include_str!("../stack/gitignore").to_owned()),
            ("keeper/config.toml", include_str!("../stack/config.toml").to_owned()),
            (
                "images/agent.Containerfile",
                self.containerfile(&self.image, include_str!("../stack/agent.Containerfile")),
            ),
            (
                "images/keeper.Containerfile",
                self.containerfile(&self.keeper_image, include_str!("../stack/keeper.Containerfile")),
            ),
        ];
        if self.kind == For::Editor {
            files.push(("devcontainer.json", self.devcontainer()));
        }
        let folder = Utf8Path::new(self.folder());
        files.into_iter().map(|(path, text)| File { path: folder.join(path), text }).collect()
    }

    fn compose(&self) -> String {
        let mut fillings = self.fillings();
        let each = |template: &str, of: &dyn Fn(&Service) -> Vec<(&'static str, String)>| {
            self.services.iter().map(|service| fill(template, &of(service))).collect::<String>()
        };
        let named = |service: &Service| vec![("service", service.name.to_string())];
        fillings.push(("doors", each(include_str!("../stack/door.yaml"), &named)));
        fillings.push((
            "served",
            each(include_str!("../stack/served.yaml"), &|service| {
                vec![("service", service.name.to_string()), ("account", service.account.clone())]
            }),
        ));
        fillings.push((
            "services",
            each(include_str!("../stack/service.yaml"), &|service| {
                let folder = service.projects.first().map_or_else(|| "/projects".to_owned(), Project::target);
                let kept = service.kept.iter().map(|target| kept(target));
                let projects = service.projects.iter().map(project).chain(kept).collect();
                vec![("service", service.name.to_string()), ("folder", folder), ("projects", projects)]
            }),
        ));
        fillings.push((
            "volumes",
            each(include_str!("../stack/volumes.yaml"), &|service| {
                let mut fillings = self.fillings();
                fillings.push(("service", service.name.to_string()));
                fillings
            }),
        ));
        format!("{}\n", fill(include_str!("../stack/compose.yaml"), &fillings).trim_end())
    }

    fn containerfile(&self, recipe: &Recipe, more: &str) -> String {
        let file = recipe.containerfile();
        let file = file.split_once('\n').map_or(file.as_str(), |(_, rest)| rest);
        let head = format!("# Made by `coffer init`: {} {}.\n", recipe.agent, recipe.version);
        format!("{head}{file}{}", fill(more, &self.fillings()))
    }

    fn devcontainer(&self) -> String {
        let service = self.first();
        let folder = service.projects.first().map(Project::target).unwrap_or_default();
        let mut fillings = self.fillings();
        fillings.extend([
            ("name", quoted(service.name.as_str())),
            ("service", quoted(service.name.as_str())),
            ("folder", quoted(&folder)),
        ]);
        fill(include_str!("../stack/devcontainer.json"), &fillings)
    }

    /// What all templates may name.
    fn fillings(&self) -> Vec<(&'static str, String)> {
        let first = self.first();
        vec![
            ("uid", self.ids.0.to_string()),
            ("gid", self.ids.1.to_string()),
            ("program", self.image.program.clone()),
            ("agent-image", format!("localhost/{}-agent", self.name)),
            ("keeper-image", format!("localhost/{}-keeper", self.name)),
            ("state", self.state.as_ref().map(State::variable).unwrap_or_default()),
            ("seeds", self.state.as_ref().map(State::script).unwrap_or_default()),
            ("images", "./images".to_owned()),
            ("keeper", "./keeper".to_owned()),
            ("network", self.network.to_string()),
            ("first-service", first.name.to_string()),
            ("first-account", first.account.clone()),
        ]
    }

    fn first(&self) -> &Service {
        // A stack has a service; who made one without gets what names none.
        const NONE: &Service = &Service {
            name: ServiceName(String::new()),
            account: String::new(),
            projects: Vec::new(),
            kept: Vec::new(),
        };
        self.services.first().unwrap_or(NONE)
    }
}

fn project(project: &Project) -> String {
    let template = match project.read_only {
        true => include_str!("../stack/project-read-only.yaml"),
        false => include_str!("../stack/project.yaml"),
    };
    let source = match project.source.is_absolute() || project.source.starts_with("..") {
        true => project.source.clone(),
        // Without it compose takes the word for a volume's name.
        false => Utf8PathBuf::from(format!("./{}", project.source)),
    };
    // Compose fills in what stands behind a dollar sign.
    let source = quoted(source.as_str()).replace('$', "$$");
    fill(template, &[("source", source), ("target", project.target())])
}

/// The folder with the compose file, which is only read.
fn kept(target: &Utf8Path) -> String {
    let target = quoted(target.as_str()).replace('$', "$$");
    fill(include_str!("../stack/project-read-only.yaml"), &[("source", quoted(".")), ("target", target)])
}
