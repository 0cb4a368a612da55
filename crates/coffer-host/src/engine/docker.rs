//! Docker.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{EngineFacts, EngineTrouble};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Deserialize, Serialize};

use super::cache::{Remembered, key};
use super::{Asked, image, said};
use crate::read::read_file;

/// Its name in the cache.
const NAME: &str = "docker";
/// Where its daemon is unless somebody says otherwise.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// The context that says nothing.
const DEFAULT_CONTEXT: &str = "default";
/// Largest file of the client's that is read, in bytes.
const MAX_CONFIG: usize = 256 * 1024;

/// `docker info`, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    server_version: Option<String>,
    #[serde(default)]
    server_errors: Option<Vec<String>>,
    #[serde(default)]
    operating_system: String,
    #[serde(default)]
    security_options: Option<Vec<String>>,
    #[serde(default)]
    memory_limit: bool,
    #[serde(default)]
    pids_limit: bool,
    #[serde(default)]
    cpu_cfs_quota: bool,
}

/// What is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    version: String,
    operating_system: String,
    options: Vec<String>,
    controllers: Vec<String>,
}

/// Asks it about itself and about an image.
pub(super) fn ask(asked: &Asked<'_>, engine: &mut EngineFacts, name: &str) -> Result<(), EngineTrouble> {
    let Endpoint { at, by } = endpoint(asked)?;
    let Some(socket) = at.strip_prefix("unix://").map(Utf8PathBuf::from) else {
        return Err(EngineTrouble::Remote { at, by });
    };
    reach(&socket, &at)?;
    // From here on nothing else decides which daemon it is.
    engine.connection = vec!["--host".to_owned(), at.clone()];
    let key = key(asked, &at, std::slice::from_ref(&socket));
    let known = match Remembered::<Known>::recall(asked.facts, NAME, &key) {
        Some(known) => known.engine,
        None => {
            let info: Info = asked.json(&["--host", &at, "info", "--format", "{{json .}}"])?;
            let known = known(info, &at)?;
            Remembered::new(key, asked.facts, known.clone()).keep(asked.facts, NAME);
            known
        }
    };
    let has = |option: &str| known.options.iter().any(|known| known.contains(option));
    engine.rootless = has("name=rootless");
    engine.remaps_ids = has("name=userns");
    engine.selinux = has("name=selinux");
    engine.version = Some(known.version.clone());
    engine.controllers.clone_from(&known.controllers);
    if known.operating_system.contains("Docker Desktop") {
        return Err(EngineTrouble::Remote {
            at: "a virtual machine of its own".to_owned(),
            by: "Docker Desktop".to_owned(),
        });
    }
    let Some(said) = asked.hear(&["--host", &at, "image", "inspect", name])? else { return Ok(()) };
    let asked = format!("image inspect {name}");
    engine.image = image::parse(&said).map_err(|said| EngineTrouble::Failed { asked, said })?;
    Ok(())
}

/// Where a daemon is, and who says so.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    at: String,
    by: String,
}

/// As the client finds it: a variable, a context that a variable names, or one that its file names.
fn endpoint(asked: &Asked<'_>) -> Result<Endpoint, EngineTrouble> {
    if let Some(at) = said("DOCKER_HOST") {
        return Ok(Endpoint { at, by: "DOCKER_HOST".to_owned() });
    }
    let context = said("DOCKER_CONTEXT").or_else(|| current_context(asked));
    let Some(context) = context.filter(|context| context != DEFAULT_CONTEXT) else {
        return Ok(Endpoint { at: SOCKET.to_owned(), by: "the default".to_owned() });
    };
    let format = "{{json .Endpoints.docker.Host}}";
    let at: String = asked.json(&["context", "inspect", "--format", format, &context])?;
    Ok(Endpoint { at, by: format!("docker context {context}") })
}

fn current_context(asked: &Asked<'_>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        current_context: Option<String>,
    }
    let own = said("DOCKER_CONFIG").map(Utf8PathBuf::from);
    let folder = own.or_else(|| asked.facts.user.home.as_ref().map(|home| home.join(".docker")))?;
    let found = read_file(&folder.join("config.json"), MAX_CONFIG).ok()?;
    let config: Config = serde_json::from_slice(&found.content).ok()?;
    config.current_context.filter(|context| !context.is_empty())
}

/// Whether somebody answers, and may be talked to.
fn reach(socket: &Utf8Path, at: &str) -> Result<(), EngineTrouble> {
    let at = at.to_owned();
    let tried = SocketAddrUnix::new(socket.as_str()).and_then(|address| {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &address)
    });
    match tried {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM) => Err(EngineTrouble::NotPermitted { at }),
        Err(_) => Err(EngineTrouble::Down { at }),
    }
}

fn known(info: Info, at: &str) -> Result<Known, EngineTrouble> {
    if info.server_errors.is_some_and(|errors| !errors.is_empty()) {
        return Err(EngineTrouble::Down { at: at.to_owned() });
    }
    // Podman's package `podman-docker` answers in its own way.
    let Some(version) = info.server_version else {
        return Err(EngineTrouble::Imitation { of: "podman, which only goes by that name".to_owned() });
    };
    let limits = [("memory", info.memory_limit), ("pids", info.pids_limit), ("cpu", info.cpu_cfs_quota)];
    Ok(Known {
        version,
        operating_system: info.operating_system,
        options: info.security_options.unwrap_or_default(),
        controllers: limits.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect(),
    })
}

#[cfg(test)]
pub(super) fn known_from(text: &str) -> Result<(String, Vec<String>), EngineTrouble> {
    let known = known(serde_json::from_str(text).unwrap(), SOCKET)?;
    Ok((known.version, known.controllers))
}
