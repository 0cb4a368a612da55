//! Podman.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{EngineFacts, EngineTrouble, HostFacts};
use serde::{Deserialize, Serialize};

use super::cache::{Remembered, RememberedImage, key, stamp};
use super::{Asked, image, said};

/// Its name in the cache.
const NAME: &str = "podman";
/// Variables that send every command elsewhere.
const REMOTE: [&str; 2] = ["CONTAINER_HOST", "CONTAINER_CONNECTION"];
/// Controllers, as both versions of groups name them.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// Files that say how it works, for everybody.
const CONFIGURED_BY: &[&str] = &[
    "/etc/containers/containers.conf",
    "/etc/containers/storage.conf",
    "/usr/share/containers/containers.conf",
    "/usr/share/containers/storage.conf",
    "/etc/subuid",
    "/etc/subgid",
];

/// `podman info`, as far as it matters.
#[derive(Debug, Deserialize)]
struct Info {
    host: Host,
    store: Store,
    version: Version,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    #[serde(default)]
    cgroup_controllers: Option<Vec<String>>,
    cgroup_version: String,
    #[serde(default)]
    id_mappings: Option<IdMappings>,
    security: Security,
    #[serde(default)]
    service_is_remote: bool,
}

#[derive(Debug, Deserialize)]
struct IdMappings {
    uidmap: Option<Vec<IdMapping>>,
}

#[derive(Debug, Deserialize)]
struct IdMapping {
    size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Security {
    rootless: bool,
    #[serde(default, rename = "selinuxEnabled")]
    selinux: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    graph_driver_name: String,
    graph_root: Utf8PathBuf,
    #[serde(default)]
    graph_options: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Version {
    #[serde(rename = "Version")]
    version: String,
}

/// What is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    version: String,
    rootless: bool,
    remote: bool,
    selinux: bool,
    has_ids: bool,
    controllers: Vec<String>,
    /// The file that lists its images; `None` where images may be elsewhere, too.
    list: Option<Utf8PathBuf>,
}

/// Asks it about itself and about an image.
pub(super) fn ask(asked: &Asked<'_>, engine: &mut EngineFacts, name: &str) -> Result<(), EngineTrouble> {
    if let Some((by, at)) = REMOTE.iter().find_map(|by| Some((*by, said(by)?))) {
        return Err(EngineTrouble::Remote { at, by: by.to_owned() });
    }
    let facts = asked.facts;
    let key = key(asked, "", &configuration(facts));
    let mut known = match Remembered::<Known>::recall(facts, NAME, &key) {
        Some(known) => known,
        None => {
            let known = Remembered::new(key, facts, known(asked.json(&["info", "--format", "json"])?));
            known.keep(facts, NAME);
            known
        }
    };
    let Known { version, rootless, remote, selinux, has_ids, controllers, list } = known.engine.clone();
    engine.version = Some(version);
    engine.rootless = rootless;
    engine.selinux = selinux;
    engine.controllers = controllers;
    if remote {
        let at = "another machine".to_owned();
        return Err(EngineTrouble::Remote { at, by: "`remote` in `containers.conf`".to_owned() });
    }
    if rootless && !has_ids {
        return Err(EngineTrouble::NoSubordinateIds);
    }
    let stamp = list.as_deref().and_then(stamp);
    if let (Some(image), Some(stamp)) = (&known.image, &stamp)
        && image.name == name
        && image.list == *stamp
    {
        engine.image = Some(image.fact.clone());
        return Ok(());
    }
    // One that is missing is told by its code, and is no failure.
    let Some(said) = asked.hear(&["image", "inspect", name])? else { return Ok(()) };
    let asked = format!("image inspect {name}");
    engine.image = image::parse(&said).map_err(|said| EngineTrouble::Failed { asked, said })?;
    if let (Some(fact), Some(list)) = (&engine.image, stamp) {
        known.image = Some(RememberedImage { name: name.to_owned(), list, fact: fact.clone() });
        known.keep(facts, NAME);
    }
    Ok(())
}

fn known(info: Info) -> Known {
    let Info { host, store, version } = info;
    let rootless = host.security.rootless;
    let controllers: Vec<String> = match host.cgroup_version.as_str() {
        // An ordinary user's are ignored there.
        "v1" if rootless => Vec::new(),
        "v1" => CONTROLLERS.map(str::to_owned).into(),
        _ => host.cgroup_controllers.unwrap_or_default(),
    };
    let mappings = host.id_mappings.and_then(|mappings| mappings.uidmap).unwrap_or_default();
    let elsewhere = store.graph_options.to_string().to_lowercase().contains("imagestore");
    let list = store.graph_root.join(format!("{}-images", store.graph_driver_name)).join("images.json");
    Known {
        version: version.version,
        rootless,
        remote: host.service_is_remote,
        selinux: host.security.selinux,
        // With one id there is the user and nobody else.
        has_ids: mappings.is_empty() || mappings.iter().any(|mapping| mapping.size > 1),
        controllers,
        list: (!elsewhere).then_some(list),
    }
}

/// The files that say how it works.
fn configuration(facts: &HostFacts) -> Vec<Utf8PathBuf> {
    let mut out: Vec<Utf8PathBuf> = CONFIGURED_BY.iter().map(Utf8PathBuf::from).collect();
    let own = said("XDG_CONFIG_HOME").map(Utf8PathBuf::from);
    let own = own.or_else(|| facts.user.home.as_ref().map(|home| home.join(".config")));
    out.extend(own.iter().flat_map(|folder| {
        ["containers.conf", "storage.conf"].map(|name| folder.join("containers").join(name))
    }));
    out.extend(
        ["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"]
            .iter()
            .filter_map(|name| said(name))
            .map(Utf8PathBuf::from),
    );
    out.extend(out.iter().filter_map(|file| group_of(file)).collect::<Vec<_>>());
    out
}

/// The folder of further files beside a file of configuration.
fn group_of(file: &Utf8Path) -> Option<Utf8PathBuf> {
    (file.extension() == Some("conf")).then(|| Utf8PathBuf::from(format!("{file}.d")))
}

#[cfg(test)]
pub(super) fn known_from(text: &str) -> Known {
    known(serde_json::from_str(text).unwrap())
}

#[cfg(test)]
impl Known {
    pub(super) fn told(&self) -> (bool, bool, &[String], Option<&Utf8Path>) {
        (self.rootless, self.has_ids, &self.controllers, self.list.as_deref())
    }
}
