//! The genuine CLI in an image, on a stage with a practice API: its package is mounted, and labels of the image tell
//! its version, as in one that `coffer image build` made.

use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::engine::{Engine, Image, Kind};
use coffer_testkit::{netns, require};

use super::stage;
use crate::support::practice::{HOSTS, Practice};
use crate::support::run;

/// Where the package lies inside.
const INSIDE: &str = "/opt/agent";

/// A practice whose agent is in a container.
pub(super) struct Guest {
    pub(super) engine: Engine,
    pub(super) practice: Practice,
    image: String,
    mount: String,
}

/// Which of the pinned CLIs.
#[derive(Clone, Copy)]
pub(super) enum Cli {
    Native,
    Js,
}

/// Runs a scenario with an engine and a pinned CLI, inside a namespace with nothing but loopback; `test` is the calling
/// test's full name.
pub(super) fn with(test: &str, kind: Kind, cli: Cli, scenario: impl Fn(&Guest)) {
    // The client that was measured to refresh is on the PATH in any case.
    let Some(native) = require::claude_native() else { return };
    let claude = match cli {
        Cli::Native => Some(native.clone()),
        Cli::Js => require::claude_js(),
    };
    // The daemon of the run must not begin in the namespace of one test.
    let Some(claude) = claude.filter(|_| Engine::new(kind).unwrap().is_some()) else { return };
    if netns::inside(test, &HOSTS)
        && let Some(guest) = Guest::new(kind, &claude, &native)
    {
        scenario(&guest);
    }
}

/// A test for each engine, with the native CLI; and for each with the other one.
macro_rules! on_every_engine {
    ($module:literal: $($name:ident),+ $(,)?) => {
        $(mod $name {
            use coffer_testkit::engine::Kind;

            use super::super::genuine::{Cli, with};

            #[test]
            fn podman_of_root_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_root_genuine_native");
                with(test, Kind::PodmanOfRoot, Cli::Native, super::scenarios::$name);
            }
            #[test]
            fn podman_of_root_genuine_js() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_root_genuine_js");
                with(test, Kind::PodmanOfRoot, Cli::Js, super::scenarios::$name);
            }
            #[test]
            fn podman_of_user_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_user_genuine_native");
                with(test, Kind::PodmanOfUser, Cli::Native, super::scenarios::$name);
            }
            #[test]
            fn podman_of_user_genuine_js() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_user_genuine_js");
                with(test, Kind::PodmanOfUser, Cli::Js, super::scenarios::$name);
            }
            #[test]
            fn docker_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::docker_genuine_native");
                with(test, Kind::Docker, Cli::Native, super::scenarios::$name);
            }
            #[test]
            fn docker_genuine_js() {
                let test = concat!($module, "::", stringify!($name), "::docker_genuine_js");
                with(test, Kind::Docker, Cli::Js, super::scenarios::$name);
            }
        })+
    };
}
pub(super) use on_every_engine;

/// The same with the native CLI alone, where the other one would not make a difference.
macro_rules! on_every_engine_native {
    ($module:literal: $($name:ident),+ $(,)?) => {
        $(mod $name {
            use coffer_testkit::engine::Kind;

            use super::super::genuine::{Cli, with};

            #[test]
            fn podman_of_root_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_root_genuine_native");
                with(test, Kind::PodmanOfRoot, Cli::Native, super::scenarios::$name);
            }
            #[test]
            fn podman_of_user_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::podman_of_user_genuine_native");
                with(test, Kind::PodmanOfUser, Cli::Native, super::scenarios::$name);
            }
            #[test]
            fn docker_genuine_native() {
                let test = concat!($module, "::", stringify!($name), "::docker_genuine_native");
                with(test, Kind::Docker, Cli::Native, super::scenarios::$name);
            }
        })+
    };
}
pub(super) use on_every_engine_native;

impl Guest {
    fn new(kind: Kind, claude: &Path, native: &Path) -> Option<Self> {
        let engine = Engine::new(kind).unwrap()?;
        let base = engine.image(Image::Debian).unwrap()?;
        let mut practice = Practice::with_token_server(stage(kind)?, claude);
        practice.with_engine(&engine);
        practice.also_on_the_path(native);
        // `node_modules`, with the program in `.bin`.
        let package = claude.parent().and_then(Path::parent).unwrap();
        let about = std::fs::read(package.join("@anthropic-ai/claude-code/package.json")).unwrap();
        let about: serde_json::Value = serde_json::from_slice(&about).unwrap();
        let version = about["version"].as_str().unwrap();
        let image = format!("localhost/genuine-{version}:1");
        label(&engine, &practice, base, version, &image);
        let mount = format!("{}:{INSIDE}:ro", package.display());
        let guest = Self { engine, practice, image, mount };
        // The first container of a user's engine waits for a copy of the image with that user's ids.
        run(guest.run(&["--auth", "none", "--network", "none", "--", "true"])).ends_with(0);
        Some(guest)
    }

    /// The flags by which a run is in a container with the CLI.
    pub(super) fn flags(&self) -> [&str; 6] {
        ["--backend", self.engine.backend(), "--image", &self.image, "--mount", &self.mount]
    }

    /// `coffer run` in a container with these words.
    pub(super) fn run(&self, words: &[&str]) -> Command {
        self.practice.run(&[&self.flags()[..], words].concat())
    }

    /// Where the run's folders are: a rootless engine brings a runtime folder of its own.
    pub(super) fn runs(&self) -> PathBuf {
        let own = self.engine.env().iter().find(|(name, _)| name == "XDG_RUNTIME_DIR");
        let runtime =
            own.map_or_else(|| self.practice.stage.scratch.runtime(), |(_, value)| PathBuf::from(value));
        runtime.join("cofferdam/runs")
    }
}

/// The image with the labels and the search path of one that has the CLI in it.
fn label(engine: &Engine, practice: &Practice, base: &str, version: &str, name: &str) {
    let folder = practice.stage.scratch.root().join("labels");
    std::fs::create_dir(&folder).unwrap();
    let file = format!(
        "FROM {base}\nENV PATH={INSIDE}/.bin:/usr/local/bin:/usr/bin:/bin\n\
         LABEL cofferdam.agent=claude cofferdam.agent-version={version}\n"
    );
    std::fs::write(folder.join("Containerfile"), file).unwrap();
    let _ = Command::new("chmod").args(["-R", "a+rX"]).arg(practice.stage.scratch.root()).status();
    let mut build = engine.command();
    build.args(["build", "--tag", name, "--file"]).arg(folder.join("Containerfile")).arg(&folder);
    run(&mut build).ends_with(0);
}
