//! `coffer image list`.

use std::collections::BTreeMap;

use coffer_plan::image::{AGENT_LABEL, TOOLS_LABEL, VERSION_LABEL};
use coffer_plan::show::audit::printable;
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::cli::ImageListCommand;
use crate::error::Error;
use crate::printer::Printer;

#[derive(Serialize)]
struct Report {
    schema: u32,
    images: Vec<Image>,
}

/// An image of ours.
#[derive(Serialize)]
struct Image {
    name: String,
    id: String,
    agent: String,
    version: String,
    tools: Vec<String>,
    /// Bytes.
    size: u64,
    created: String,
}

/// What both engines say of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    repo_tags: Option<Vec<String>>,
    created: String,
    size: u64,
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

pub(super) fn list(command: &ImageListCommand, printer: &Printer) -> Result<u8, Error> {
    let mut facts = coffer_host::base()?;
    let engine = Engine::find(&mut facts, command.backend, "localhost/coffer")?;
    let images = images(&engine)?;
    if command.json {
        printer.json(&Report { schema: 1, images })?;
        return Ok(0);
    }
    for Image { name, agent, version, tools, size, .. } in &images {
        let tools = if tools.is_empty() { "no tools".to_owned() } else { tools.join(", ") };
        let size = size / 1_000_000;
        printer.data(&printable(&format!("{name}  {agent} {version}  {tools}  {size} MB")))?;
    }
    if images.is_empty() {
        printer.tell("No image was built yet: `coffer image build`\n");
    }
    Ok(0)
}

fn images(engine: &Engine) -> Result<Vec<Image>, Error> {
    let filter = format!("label={AGENT_LABEL}");
    let ids = heard(engine, &["images", "--quiet", "--no-trunc", "--filter", &filter])?;
    let ids = String::from_utf8_lossy(&ids).into_owned();
    let mut ids: Vec<&str> = ids.split_whitespace().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let said = heard(engine, &[&["image", "inspect"][..], &ids].concat())?;
    let found: Vec<Inspected> = serde_json::from_slice(&said).map_err(|error| engine.failed(error.into()))?;
    let mut images: Vec<Image> = found.into_iter().flat_map(named).collect();
    images.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(images)
}

/// One line for each of its names.
fn named(inspected: Inspected) -> Vec<Image> {
    let labels = inspected.config.labels.unwrap_or_default();
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let tools: Vec<String> =
        label(TOOLS_LABEL).split(',').filter(|tool| !tool.is_empty()).map(str::to_owned).collect();
    let names = inspected.repo_tags.unwrap_or_default();
    let image = |name: String| Image {
        name,
        id: inspected.id.clone(),
        agent: label(AGENT_LABEL),
        version: label(VERSION_LABEL),
        tools: tools.clone(),
        size: inspected.size,
        created: inspected.created.clone(),
    };
    names.into_iter().map(image).collect()
}

/// What the engine prints.
fn heard(engine: &Engine, words: &[&str]) -> Result<Vec<u8>, Error> {
    let output = engine.command().args(words).output().map_err(|source| engine.failed(source))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = printable(said.trim().lines().last().unwrap_or("it gave up"));
    Err(engine.failed(std::io::Error::other(said)))
}
