//! `coffer init`: files that work alone. What they say is rendered by coffer-plan; here they are written, with this
//! very program among them. A file that is there is never overwritten.

mod write;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::layout::HOST;
use coffer_plan::agent::Agent;
use coffer_plan::built_in;
use coffer_plan::facts::HostFacts;
use coffer_plan::image::Recipe;
use coffer_plan::stack::{For, Project, Service, ServiceName, Stack, State};

use super::stack_error::StackError;
use crate::cli::{InitCommand, InitComposeCommand, InitDevcontainerCommand, InitVerb, StackFlags, Variant};
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare;
use crate::printer::Printer;

/// As whom the services run where root writes the files: root's containers would be root on this machine.
const NOT_ROOT: (u32, u32) = (1000, 1000);
/// Services that nobody named.
const USUAL: [&str; 2] = ["one", "two"];

pub(crate) fn init(command: &InitCommand, printer: &Printer) -> Result<u8, Failure> {
    let facts = coffer_host::base()?;
    let (stack, out) = match &command.verb {
        InitVerb::Compose(command) => compose(command, &facts)?,
        InitVerb::Devcontainer(command) => devcontainer(command, &facts)?,
    };
    write::write(&stack, &out, &facts, printer)?;
    // Without the slash that an empty name leaves.
    let folder: Utf8PathBuf = out.join(stack.folder()).components().collect();
    printer.tell(&match stack.kind {
        For::Compose => {
            format!("`{folder}/README.md` says how to go on: `cd {folder} && docker-compose build`\n")
        }
        For::Editor => {
            format!("`{folder}/README.md` says how to go on; an editor opens the folder in its container\n")
        }
    });
    if coffer_host::program(&facts, "docker-compose").is_none()
        && coffer_host::program(&facts, "docker").is_none()
        && coffer_host::program(&facts, "podman-compose").is_none()
    {
        printer.tell("No engine's compose is on the PATH here; the files are for a machine that has one.\n");
    }
    Ok(0)
}

fn compose(command: &InitComposeCommand, facts: &HostFacts) -> Result<(Stack, Utf8PathBuf), Error> {
    let out = absolute(&command.out, facts);
    let services = match command.variant {
        Variant::Projects => of_projects(command, &out, facts)?,
        Variant::Shared | Variant::Isolated if !command.projects.is_empty() => {
            of_projects(command, &out, facts)?
        }
        Variant::Shared => own_folders(command, |_| command.stack.account.to_string())?,
        Variant::Isolated => own_folders(command, |name| name.to_string())?,
    };
    let name = ServiceName::of_folder(&out).map_err(StackError::from)?;
    Ok((stack(&command.stack, For::Compose, name, services, facts)?, out))
}

/// Services with a folder each, below the compose file.
fn own_folders(
    command: &InitComposeCommand,
    account: impl Fn(&ServiceName) -> String,
) -> Result<Vec<Service>, Error> {
    let usual = || USUAL.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
    let names = match command.services.is_empty() {
        true => usual().map_err(StackError::from)?,
        false => command.services.clone(),
    };
    each_once(names.iter())?;
    let service = |name: &ServiceName| {
        let source = Utf8Path::new("projects").join(name.as_str());
        let project = Project { source, name: name.clone(), read_only: false };
        Service { name: name.clone(), account: account(name), projects: vec![project], kept: Vec::new() }
    };
    Ok(names.iter().map(service).collect())
}

/// A service for each project that is written, which reads the others that are only read.
fn of_projects(
    command: &InitComposeCommand,
    out: &Utf8Path,
    facts: &HostFacts,
) -> Result<Vec<Service>, Error> {
    let mut projects = Vec::new();
    for said in &command.projects {
        let path = absolute(&said.path, facts);
        let source = path.canonicalize_utf8().ok().filter(|path| path.is_dir());
        let source = source.ok_or_else(|| StackError::NoFolder { path: path.clone() })?;
        if real(out) == source && !said.read_only {
            return Err(StackError::InTheProject { path }.into());
        }
        // It is called as it was said, wherever a link leads.
        let name = ServiceName::of_folder(&path).map_err(StackError::from)?;
        let source = source.strip_prefix(real(out)).map(Utf8Path::to_owned).unwrap_or(source);
        projects.push(Project { source, name, read_only: said.read_only });
    }
    each_once(projects.iter().map(|project| &project.name))?;
    let (read, written): (Vec<Project>, Vec<Project>) =
        projects.into_iter().partition(|project| project.read_only);
    if written.is_empty() {
        return Err(StackError::NoService.into());
    }
    let isolated = command.variant == Variant::Isolated;
    let service = |project: Project| {
        let name = project.name.clone();
        let account = if isolated { name.to_string() } else { command.stack.account.to_string() };
        let kept = kept(&project, &real(out));
        let projects = [vec![project], read.clone()].concat();
        Service { name, account, projects, kept }
    };
    Ok(written.into_iter().map(service).collect())
}

fn devcontainer(command: &InitDevcontainerCommand, facts: &HostFacts) -> Result<(Stack, Utf8PathBuf), Error> {
    let path = absolute(&command.out, facts);
    let out = path.canonicalize_utf8().ok().filter(|path| path.is_dir());
    let out = out.ok_or(StackError::NoFolder { path })?;
    let name = ServiceName::of_folder(&out).map_err(StackError::from)?;
    let project = Project { source: "..".into(), name: name.clone(), read_only: false };
    let account = command.stack.account.to_string();
    let kept = vec![format!("/projects/{name}/.devcontainer").into()];
    let service = Service { name: name.clone(), account, projects: vec![project], kept };
    Ok((stack(&command.stack, For::Editor, name, vec![service], facts)?, out))
}

fn stack(
    said: &StackFlags,
    kind: For,
    name: ServiceName,
    services: Vec<Service>,
    facts: &HostFacts,
) -> Result<Stack, Error> {
    let agent = prepare::agent(&said.agent, facts)?;
    if services.iter().any(|service| service.account == HOST) {
        let agent = agent.command.first().cloned().unwrap_or_default();
        return Err(Error::HostAccount { agent });
    }
    let user = &facts.user;
    let ids = if user.uid == 0 { NOT_ROOT } else { (user.uid, user.gid) };
    let keeper_image = recipe(said, &agent, &[])?;
    let image = recipe(said, &agent, &said.tools)?;
    let state = State::of(&agent, facts);
    Ok(Stack { name, kind, agent, state, image, keeper_image, ids, network: said.network, services })
}

fn recipe(said: &StackFlags, agent: &Agent, tools: &[String]) -> Result<Recipe, Error> {
    let (version, base) = (said.agent_version.as_deref(), said.base.as_deref());
    let recipe = Recipe::new(agent, version, base, tools, built_in::image_parts()?);
    Ok(recipe.map_err(StackError::from)?)
}

fn each_once<'a>(names: impl Iterator<Item = &'a ServiceName>) -> Result<(), Error> {
    let mut known: Vec<&ServiceName> = Vec::new();
    for name in names {
        if known.contains(&name) {
            return Err(StackError::SameName { name: name.to_string() }.into());
        }
        known.push(name);
    }
    Ok(())
}

/// Where a service sees the generated files in its project, if they are to lie there.
fn kept(project: &Project, out: &Utf8Path) -> Vec<Utf8PathBuf> {
    let below = out.strip_prefix(&project.source).ok().filter(|_| project.source.is_absolute());
    below
        .map(|below| Utf8Path::new("/projects").join(project.name.as_str()).join(below))
        .into_iter()
        .collect()
}

/// Links followed, as far as there is something.
fn real(path: &Utf8Path) -> Utf8PathBuf {
    let known = path.ancestors().find_map(|there| {
        let rest = path.strip_prefix(there).ok()?;
        Some(there.canonicalize_utf8().ok()?.join(rest))
    });
    known.unwrap_or_else(|| path.to_owned())
}

fn absolute(path: &Utf8Path, facts: &HostFacts) -> Utf8PathBuf {
    coffer_plan::path::clean(&facts.project.start.join(path))
}
