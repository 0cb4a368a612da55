//! What `image inspect` prints.

use std::collections::BTreeMap;

use coffer_plan::facts::{EnvFact, ImageFact};
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
}

/// The one image that an engine printed; `None` when it printed none.
pub(super) fn parse(said: &[u8]) -> Result<Option<ImageFact>, String> {
    let images: Vec<Inspected> = serde_json::from_slice(said).map_err(|error| error.to_string())?;
    Ok(images.into_iter().next().map(fact))
}

fn fact(image: Inspected) -> ImageFact {
    let Config { env, labels } = image.config.unwrap_or_default();
    let variables = env.into_iter().flatten().filter_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let fact = match value {
            "" => EnvFact::Empty,
            value if looks_secret(name, value) => EnvFact::Redacted("set".to_owned()),
            value => EnvFact::Value(value.to_owned()),
        };
        Some((name.to_owned(), fact))
    });
    let version = labels.and_then(|labels| labels.get(VERSION_LABEL).cloned());
    ImageFact {
        id: image.id,
        architecture: image.architecture,
        environment: variables.filter(|(name, _)| !name.is_empty()).collect(),
        agent_version: version.filter(|version| looks_like_version(version)),
    }
}

fn looks_like_version(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte))
}
