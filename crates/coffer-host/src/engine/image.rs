//! What `image inspect` prints.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use coffer_plan::facts::{ImageFact, ImageVariable, is_public};
use coffer_plan::image::VERSION_LABEL;
use coffer_plan::sign_in::withhold::looks_secret;
use serde::Deserialize;

/// One image, as far as it matters.
#[derive(Debug, Deserialize)]
struct Inspected {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Architecture")]
    architecture: String,
    #[serde(rename = "Config")]
    config: Option<Config>,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(rename = "Env")]
    env: Option<Vec<String>>,
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "Volumes")]
    volumes: Option<BTreeMap<Utf8PathBuf, serde::de::IgnoredAny>>,
}

/// The one image that an engine printed; `None` when it printed none.
pub(super) fn parse(said: &[u8]) -> Result<Option<ImageFact>, String> {
    let images: Vec<Inspected> = serde_json::from_slice(said).map_err(|error| error.to_string())?;
    Ok(images.into_iter().next().map(fact))
}

fn fact(image: Inspected) -> ImageFact {
    let Config { env, labels, volumes } = image.config.unwrap_or_default();
    let variables = env.into_iter().flatten().filter_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let fact = match value {
            value if value.is_empty() || is_public(name) => ImageVariable::Value(value.to_owned()),
            value if looks_secret(name, value) => ImageVariable::Secret,
            _ => ImageVariable::Set,
        };
        Some((name.to_owned(), fact))
    });
    let version = labels.and_then(|labels| labels.get(VERSION_LABEL).cloned());
    ImageFact {
        id: image.id,
        architecture: image.architecture,
        environment: variables.filter(|(name, _)| !name.is_empty()).collect(),
        volumes: volumes.unwrap_or_default().into_keys().collect(),
        agent_version: version.filter(|version| looks_like_version(version)),
    }
}

fn looks_like_version(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte))
}
