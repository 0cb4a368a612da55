//! `coffer image build`.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use coffer_launch::launch::quote;
use coffer_plan::built_in;
use coffer_plan::image::{AUTHORITIES, NPMRC, Recipe};
use coffer_plan::plan::BackendKind;
use coffer_plan::policy::default_image;

use super::{Engine, ImageError};
use crate::cli::{BuildNetwork, ImageBuildCommand};
use crate::error::Error;
use crate::prepare;
use crate::printer::Printer;

/// Ways through a proxy; the engines keep them out of the image.
const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
];

pub(super) fn build(command: &ImageBuildCommand, printer: &Printer) -> Result<u8, Error> {
    let mut facts = coffer_host::base()?;
    let agent = prepare::agent(&command.agent, &facts)?;
    let parts = built_in::image_parts()?;
    let (version, base) = (command.agent_version.as_deref(), command.base.as_deref());
    let recipe = Recipe::new(&agent, version, base, &command.tools, parts).map_err(ImageError::from)?;
    if command.print {
        printer.data(recipe.containerfile().trim_end())?;
        return Ok(0);
    }
    let name = command.name.clone().unwrap_or_else(|| recipe.name());
    let engine = Engine::find(&mut facts, command.backend, &name)?;
    for file in [&command.npmrc, &command.ca_file].into_iter().flatten() {
        let found = file.metadata();
        found.map_err(|source| Error::Store { action: "read", path: file.clone(), source })?;
    }
    let runtime = &facts.folders.runtime;
    let failed = |source| Error::Store { action: "make a folder in", path: runtime.clone(), source };
    std::fs::create_dir_all(runtime).map_err(failed)?;
    let folder = tempfile::Builder::new().prefix("image-").tempdir_in(runtime).map_err(failed)?;
    let place =
        Utf8Path::from_path(folder.path()).ok_or_else(|| failed(ErrorKind::InvalidFilename.into()))?;
    let file = place.join("Containerfile");
    let text = recipe.containerfile();
    std::fs::write(&file, text).map_err(|source| Error::Store {
        action: "write",
        path: file.clone(),
        source,
    })?;
    let mut builder = command_of(&engine, &name, &file, command);
    builder.arg(place);
    printer.tell(&format!("Building {name} with {}.\n", engine.kind));
    let status = builder.status().map_err(|source| engine.failed(source))?;
    if !status.success() {
        return Err(ImageError::NotBuilt { name, status: status.to_string() }.into());
    }
    let flag = if name == default_image(&agent).value {
        String::new()
    } else {
        format!(" --image {}", quote(&name))
    };
    printer.tell(&format!("{name} is there: `coffer run --backend {}{flag}`\n", engine.kind));
    Ok(0)
}

/// What the engine is told; its own words go where ours go, and stdout stays empty.
fn command_of(engine: &Engine, name: &str, file: &Utf8Path, said: &ImageBuildCommand) -> Command {
    let mut builder = engine.command();
    builder.stdin(Stdio::null()).stdout(std::io::stderr()).args(["build", "--file"]).arg(file);
    builder.args(["--tag", name]);
    for (id, file) in [(NPMRC, &said.npmrc), (AUTHORITIES, &said.ca_file)] {
        if let Some(file) = file {
            builder.args(["--secret", &format!("id={id},src={file}")]);
        }
    }
    if let Some(BuildNetwork::Host) = said.network {
        builder.args(["--network", "host"]);
    }
    for variable in PROXIES {
        let Some(value) = coffer_host::variable(variable) else { continue };
        builder.env(variable, std::ffi::OsStr::from_bytes(&value));
        if engine.kind == BackendKind::Docker {
            // Podman passes them by itself. Without a value it is taken from the environment.
            builder.args(["--build-arg", variable]);
        }
    }
    if engine.kind == BackendKind::Docker {
        builder.env("DOCKER_BUILDKIT", "1");
    }
    builder
}
