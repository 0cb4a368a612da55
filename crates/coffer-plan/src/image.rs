//! Images with an agent and a development environment: what is in one, and the file that builds it.
//!
//! The file holds no secret and takes none into a layer: a registry's configuration and a certificate authority are
//! mounted while something is fetched.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::agent::{Agent, ImageLayout};

#[cfg(test)]
mod tests;

/// The label that names the agent in an image.
pub const AGENT_LABEL: &str = "cofferdam.agent";
/// The label that tells the agent's version.
pub const VERSION_LABEL: &str = "cofferdam.agent-version";
/// The label that lists the tools, with commas.
pub const TOOLS_LABEL: &str = "cofferdam.tools";
/// What an image is built on unless something else is asked for.
pub const BASE: &str = "debian:bookworm-slim";
/// The build secret with npm's configuration.
pub const NPMRC: &str = "npmrc";
/// The build secret with certificates of authorities that are trusted while something is fetched.
pub const AUTHORITIES: &str = "authorities";

/// Where the agent lies in an image.
const AGENT_PREFIX: &str = "/opt/agent";
/// Where the certificates lie while something is fetched.
const AUTHORITIES_FILE: &str = "/run/secrets/authorities";

/// What an image can be made of (`images/tools.toml`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageParts {
    /// In every image.
    pub always: Packages,
    /// What installs an agent that comes by npm.
    pub npm: Packages,
    /// What can be asked for.
    #[serde(rename = "tool")]
    pub tools: Vec<ImageTool>,
}

/// Packages, by the names that a family of systems has for them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    /// Of Debian and what derives from it.
    pub debian: Vec<String>,
    /// Of Alpine.
    pub alpine: Vec<String>,
}

/// A development environment that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTool {
    /// The word for `--tool`.
    pub name: String,
    /// For people.
    pub about: String,
    /// Tools that it needs.
    #[serde(default)]
    pub with: Vec<String>,
    /// Its packages on Debian and what derives from it.
    #[serde(default)]
    pub debian: Vec<String>,
    /// Its packages on Alpine.
    #[serde(default)]
    pub alpine: Vec<String>,
    /// What pip installs, each at one version.
    #[serde(default)]
    pub pip: Vec<String>,
}

/// Why no image can be described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The agent is in no registry that we know.
    #[error("nothing tells how `{agent}` gets into an image")]
    NoAgent {
        /// The agent.
        agent: String,
    },
    /// No tool has this name.
    #[error("no tool is called `{name}`")]
    UnknownTool {
        /// The name asked for.
        name: String,
        /// All names.
        known: Vec<String>,
    },
    /// A version or reference that could be more than that in the file.
    #[error("`{word}` is no {what}")]
    Word {
        /// What was said.
        word: String,
        /// What it should be.
        what: &'static str,
    },
}

impl ImageError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoAgent { agent } => format!(
                "an `[image]` section with `npm` and `version` in `~/.config/cofferdam/agents/{agent}.toml`"
            ),
            Self::UnknownTool { known, .. } => format!("one of: {}", known.join(", ")),
            Self::Word { what: "version", .. } => "`--agent-version 2.1.330`".to_owned(),
            Self::Word { .. } => "`--base debian:bookworm-slim`".to_owned(),
        }
    }
}

/// An image to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The image that it is built on.
    pub base: String,
    /// The agent's name.
    pub agent: String,
    /// The program that the image starts.
    pub program: String,
    /// The agent's npm package.
    pub package: String,
    /// The agent's version.
    pub version: String,
    /// The tools, each once, in the order of the list.
    pub tools: Vec<ImageTool>,
    always: Packages,
    npm: Packages,
}

impl Recipe {
    /// An image with an agent, at the version that was tried unless another one is said, and with these tools.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn new(
        agent: &Agent,
        version: Option<&str>,
        base: Option<&str>,
        tools: &[String],
        parts: ImageParts,
    ) -> Result<Self, ImageError> {
        let layout = agent.image.as_ref();
        let ImageLayout { npm, version: tried, on_node } =
            layout.ok_or_else(|| ImageError::NoAgent { agent: agent.name.clone() })?;
        let version = plain(version.unwrap_or(tried), "version")?;
        let base = plain(base.unwrap_or(BASE), "reference of an image")?;
        let mut wanted: Vec<&str> = tools.iter().map(String::as_str).collect();
        wanted.extend(on_node.then_some("node"));
        let known = || parts.tools.iter().map(|tool| tool.name.clone()).collect();
        let mut at = 0;
        while let Some(name) = wanted.get(at).copied() {
            let tool = parts.tools.iter().find(|tool| tool.name == name);
            let tool =
                tool.ok_or_else(|| ImageError::UnknownTool { name: name.to_owned(), known: known() })?;
            let more = tool.with.iter().map(String::as_str).filter(|name| !wanted.contains(name));
            wanted.extend(more.collect::<Vec<_>>());
            at += 1;
        }
        let tools = parts.tools.iter().filter(|tool| wanted.contains(&tool.name.as_str())).cloned().collect();
        Ok(Self {
            base,
            agent: agent.name.clone(),
            program: agent.command.first().cloned().unwrap_or_default(),
            package: npm.clone(),
            version,
            tools,
            always: parts.always,
            npm: parts.npm,
        })
    }

    /// What the image is called unless a name is asked for; `coffer run` looks for the one without tools.
    pub fn name(&self) -> String {
        let tools: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
        name_of(&self.agent, &tools)
    }

    /// The labels by which images of ours are found.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let tools: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
        vec![
            (AGENT_LABEL, self.agent.clone()),
            (VERSION_LABEL, self.version.clone()),
            (TOOLS_LABEL, tools.join(",")),
        ]
    }

    /// The file that builds it, for Podman, Buildah and Docker.
    pub fn containerfile(&self) -> String {
        let Self { base, package, version, program, .. } = self;
        let prefix = AGENT_PREFIX;
        let mut out = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{text}");
        };
        line(format_args!("# Made by `coffer image build`: {} {version}.", self.agent));
        line(format_args!("FROM {base} AS agent"));
        line(format_args!("{}", install("agent", &[&self.always, &self.npm])));
        line(format_args!(
            "RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id={NPMRC},target=/root/.npmrc \\\n    \
             --mount=type=secret,id={AUTHORITIES},target={AUTHORITIES_FILE} \\\n    \
             if [ -s {AUTHORITIES_FILE} ]; then export NODE_EXTRA_CA_CERTS={AUTHORITIES_FILE}; fi; \\\n    \
             npm install --global --prefix {prefix} --no-fund --no-audit --no-update-notifier {package}@{version} && \\\n    \
             node -e '{OTHER_LIBC}' {prefix}"
        ));
        line(format_args!("\nFROM {base}"));
        let mut packages = vec![&self.always];
        let of_tools: Vec<Packages> = self.tools.iter().map(ImageTool::packages).collect();
        packages.extend(&of_tools);
        line(format_args!("{}", install("tools", &packages)));
        let pip: Vec<&str> = self.tools.iter().flat_map(|tool| &tool.pip).map(String::as_str).collect();
        if !pip.is_empty() {
            line(format_args!(
                "RUN --mount=type=cache,target=/root/.cache/pip \\\n    \
                 --mount=type=secret,id={AUTHORITIES},target={AUTHORITIES_FILE} \\\n    \
                 if [ -s {AUTHORITIES_FILE} ]; then export PIP_CERT={AUTHORITIES_FILE}; fi; \\\n    \
                 pip install --break-system-packages {}",
                pip.join(" ")
            ));
        }
        line(format_args!("COPY --from=agent {prefix} {prefix}"));
        line(format_args!("{USER}"));
        line(format_args!(
            "ENV PATH={prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ));
        for (label, value) in self.labels() {
            line(format_args!("LABEL {label}=\"{value}\""));
        }
        line(format_args!("USER 1000:1000"));
        line(format_args!("WORKDIR /home/agent"));
        line(format_args!("CMD [\"{program}\"]"));
        out
    }
}

/// What an image with this agent and these tools is called.
pub(crate) fn name_of(agent: &str, tools: &[&str]) -> String {
    let tag = if tools.is_empty() { "latest".to_owned() } else { tools.join("-") };
    format!("localhost/coffer-{agent}:{tag}")
}

impl ImageTool {
    fn packages(&self) -> Packages {
        Packages { debian: self.debian.clone(), alpine: self.alpine.clone() }
    }
}

/// Packages for another C library than the base's go again: npm before 10.3 (Debian 12 has 9.2) installs them whatever
/// their `libc` says, and an agent's may be hundreds of megabytes. What installed it is not in the image that is used,
/// so what is removed here is in no layer of that.
const OTHER_LIBC: &str = "const fs = require(\"fs\"); const own = process.report.getReport().header.glibcVersionRuntime ? \"glibc\" : \"musl\"; \
     const look = (folder) => { let libc; try { libc = JSON.parse(fs.readFileSync(folder + \"/package.json\")).libc; } catch {} \
     if (libc && ![].concat(libc).includes(own)) { return fs.rmSync(folder, { recursive: true }); } \
     for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) look(folder + \"/\" + entry.name); }; \
     look(process.argv[1]);";

/// Somebody who is not root, where the base has nobody with this id.
const USER: &str = "RUN if ! grep -q '^[^:]*:[^:]*:1000:' /etc/passwd; then \\\n    \
                    echo 'agent:x:1000:1000:agent:/home/agent:/bin/sh' >>/etc/passwd; \\\n    \
                    grep -q '^[^:]*:[^:]*:1000:' /etc/group || echo 'agent:x:1000:' >>/etc/group; fi; \\\n    \
                    mkdir -p /home/agent && chown 1000:1000 /home/agent";

/// Installs packages with what the base has for that; what was fetched stays in a cache of the engine's, one for each
/// stage: BuildKit makes the stages at once, and Buildah's lock for a shared one is never given back.
fn install(stage: &str, packages: &[&Packages]) -> String {
    let of = |names: fn(&Packages) -> &[String]| {
        let mut out: Vec<&str> = Vec::new();
        for name in packages.iter().flat_map(|packages| names(packages)) {
            if !out.contains(&name.as_str()) {
                out.push(name);
            }
        }
        out.join(" ")
    };
    let (debian, alpine) = (of(|packages| &packages.debian), of(|packages| &packages.alpine));
    format!(
        "RUN --mount=type=cache,id=coffer-apt-{stage},target=/var/cache/apt \\\n    \
         --mount=type=cache,id=coffer-lists-{stage},target=/var/lib/apt/lists \\\n    \
         if command -v apt-get >/dev/null; then \\\n        \
         rm -f /etc/apt/apt.conf.d/docker-clean; apt-get update -q && DEBIAN_FRONTEND=noninteractive \\\n        \
         apt-get install -y -q --no-install-recommends {debian}; \\\n    \
         elif command -v apk >/dev/null; then apk add --no-cache {alpine}; \\\n    \
         else echo 'this base image has neither apt-get nor apk' >&2; exit 1; fi"
    )
}

/// A word that stands in the file as it is: nothing in it may end a line or mean anything to a shell.
fn plain(word: &str, what: &'static str) -> Result<String, ImageError> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-+:/@~".contains(character);
    let begins = word.starts_with(|character: char| character.is_ascii_alphanumeric());
    if begins && word.chars().all(is_plain) {
        Ok(word.to_owned())
    } else {
        Err(ImageError::Word { word: word.to_owned(), what })
    }
}
