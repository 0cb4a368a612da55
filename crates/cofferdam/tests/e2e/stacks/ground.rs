//! Generated files that are up: the engine, the images, and the practice API. The keeper has nothing but its loopback
//! here: what it asks for under the real names is carried out by a socket, by the program's own `enter`.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use coffer_testkit::engine::{Engine, Image, Kind};
use coffer_testkit::{FakeApi, RequestRecord, require};

use crate::support::{Ran, Stage, run, run_with_input};

/// Installs nothing: what is needed is there.
pub(super) const APT: &str = "#!/bin/sh\nexit 0\n";
/// Plays npm: the agent lies in a folder that is mounted later.
pub(super) const NPM: &str = "#!/bin/sh\nset -e\nmkdir -p /opt/agent/bin\nln -s /genuine/node_modules/.bin/claude /opt/agent/bin/claude\n";

/// What ports of the keeper's loopback lead to.
const RELAYS: [(&str, &str); 2] = [("api", "443"), ("index", "8000")];

pub(super) struct Ground {
    pub(super) stage: Stage,
    pub(super) engine: Engine,
    pub(super) api: FakeApi,
    folder: PathBuf,
    name: String,
}

impl Ground {
    /// `coffer init` with these words, and the images built; `None` where it cannot be had: the test skips.
    pub(super) fn new(name: &str, words: &[&str]) -> Option<Self> {
        let claude = require::claude_native()?;
        require::program("docker-compose")?;
        let engine = Engine::new(Kind::Docker).unwrap()?;
        engine.image(Image::Debian).unwrap()?;
        let stage = Stage::new();
        // Other tests use the same daemon.
        let name = format!("t{}-{name}", std::process::id());
        let base = base(&engine, &stage, &name);
        for (path, text) in [("site/index", ""), ("docs/page", "a page\n")] {
            let file = stage.project_file(path, text);
            chown(file.parent().unwrap(), Some(1000), Some(1000)).unwrap();
        }
        let compose = words[0] == "compose";
        let out = stage.project().join(&name);
        std::fs::create_dir(&out).unwrap();
        chown(&out, Some(1000), Some(1000)).unwrap();
        let mut init = stage.coffer(["init"].iter().chain(words));
        init.args(["--base", &base, "--out"]).arg(&out);
        run(&mut init).ends_with(0);
        let folder = if compose { out } else { out.join(".devcontainer") };
        let ca = folder.join("keeper/ca.pem");
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let api = FakeApi::builder().tls(loopback).ca_out(&ca).start().unwrap();
        std::fs::set_permissions(&ca, PermissionsExt::from_mode(0o644)).unwrap();
        let ground = Self { stage, engine, api, folder, name };
        for relay in RELAYS {
            ground.relay_folder(relay.0);
        }
        ground.carries("api", ground.api.tls_addr().unwrap());
        ground.config();
        ground.overrides(&claude, &BTreeMap::new());
        run(ground.compose(&["build"])).ends_with(0);
        Some(ground)
    }

    /// The keeper's configuration; it learns of it by itself.
    pub(super) fn config(&self) {
        let text = "allow = [\"registry.example.org:80\"]\n[upstream]\nca_file = \"/etc/coffer/ca.pem\"\n\
                    [upstream.hosts]\n\"api.anthropic.com\" = \"127.0.0.1:443\"\n\"registry.example.org\" = \"127.0.0.1:8000\"\n";
        std::fs::write(self.folder.join("keeper/config.toml"), text).unwrap();
    }

    /// The folder of a relay, as a door has one.
    fn relay_folder(&self, name: &str) -> PathBuf {
        let folder = self.stage.scratch.root().join("relays").join(name);
        if !folder.exists() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("environment"), format!("export RELAY_{name}='here'\n")).unwrap();
            std::fs::set_permissions(folder.join("environment"), PermissionsExt::from_mode(0o644)).unwrap();
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        }
        folder
    }

    /// A port of the keeper's loopback leads to this address of ours, until the test ends.
    pub(super) fn carries(&self, name: &str, to: SocketAddr) {
        let path = self.relay_folder(name).join("gateway.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(other) = TcpStream::connect(to) else { continue };
                let (Ok(mut there), Ok(mut back)) = (stream.try_clone(), other.try_clone()) else { continue };
                let (mut stream, mut other) = (stream, other);
                std::thread::spawn(move || {
                    let _ = io::copy(&mut there, &mut other);
                    let _ = other.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || {
                    let _ = io::copy(&mut back, &mut stream);
                    let _ = stream.shutdown(Shutdown::Write);
                });
            }
        });
    }

    /// What the machine of the tests needs besides: no network for builds, the genuine CLI, and the practice API under
    /// the real names.
    pub(super) fn overrides(&self, claude: &Path, volumes: &BTreeMap<&str, String>) {
        let genuine = claude.parent().and_then(Path::parent).and_then(Path::parent).unwrap();
        let mount = |source: &str, target: &str| serde_json::json!({"type": "bind", "source": source, "target": target, "read_only": true});
        let mut mounts = vec![mount(genuine.to_str().unwrap(), "/genuine")];
        mounts.extend(volumes.iter().map(|(target, source)| mount(source, target)));
        let mut services = serde_json::Map::new();
        for service in self.services() {
            services.insert(service, serde_json::json!({"build": {"network": "none"}, "volumes": mounts}));
        }
        let names =
            ["api.anthropic.com", "platform.claude.com", "console.anthropic.com", "claude.com", "claude.ai"];
        let hosts: Vec<String> = names.iter().map(|name| format!("{name}:127.0.0.1")).collect();
        let mut entry: Vec<String> = Vec::new();
        for (name, port) in RELAYS {
            let folder = format!("/relay/{name}");
            mounts.push(mount(self.relay_folder(name).to_str().unwrap(), &folder));
            entry.extend(["coffer", "enter", "--door", &folder, "--port", port, "--"].map(str::to_owned));
        }
        entry.push("coffer".to_owned());
        services.insert(
            "keeper".to_owned(),
            serde_json::json!({
                "build": {"network": "none"}, "network_mode": "none", "volumes": mounts, "extra_hosts": hosts,
                "entrypoint": entry, "environment": {"NODE_EXTRA_CA_CERTS": "/etc/coffer/ca.pem"},
            }),
        );
        // JSON is YAML.
        let text = serde_json::json!({"services": services});
        std::fs::write(self.folder.join("override.yaml"), text.to_string()).unwrap();
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// docker-compose on the generated file and what the tests add.
    pub(super) fn compose(&self, words: &[&str]) -> Command {
        let mut command = self.equipped("docker-compose".as_ref());
        command.args(["--ansi", "never", "-f", "compose.yaml", "-f", "override.yaml"]).args(words);
        command
    }

    /// A program that finds the engine.
    pub(super) fn equipped(&self, program: &Path) -> Command {
        let mut command = self.stage.command(program);
        command
            .env("PATH", self.engine.path())
            .envs(self.engine.env().iter().cloned())
            .env("DOCKER_BUILDKIT", "1")
            .env("COMPOSE_DOCKER_CLI_BUILD", "1")
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .current_dir(&self.folder);
        command
    }

    /// Up, and the one service that has a network elsewhere has nothing but its loopback here.
    pub(super) fn is_up(&self) {
        let up = run(self.compose(&["up", "--detach", "--no-build"]));
        assert!(up.code == Some(0), "{up}\n{}", self.logs("keeper"));
        let interfaces = run(self.compose(&["exec", "-T", "keeper", "grep", "-c", ":", "/proc/net/dev"]));
        interfaces.prints("1\n");
    }

    /// The services of the generated file, without the keeper.
    pub(super) fn services(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("compose.yaml")).unwrap();
        let door =
            |line: &str| line.trim().strip_prefix("- --service=")?.split('=').next().map(str::to_owned);
        text.lines().filter_map(door).collect()
    }

    /// The genuine CLI in a service answers.
    #[track_caller]
    pub(super) fn answers(&self, service: &str) {
        let said = run(self.compose(&["exec", "-T", service, "coffer", "enter", "claude", "-p", "hi"]));
        assert!(said.code == Some(0), "{said}\n{}\n{:?}", self.logs("keeper"), self.requests());
        assert!(said.text().contains("practice answer: hi"), "{said}");
    }

    pub(super) fn logs(&self, service: &str) -> String {
        run(self.compose(&["logs", "--no-color", service])).text()
    }

    /// An account with a key, made while everything is up.
    pub(super) fn key_account(&self, name: &str) -> String {
        let key = self.api.add_api_key();
        let words = ["exec", "-T", "keeper", "coffer", "account", "add", name, "--kind", "api-key"];
        run_with_input(&mut self.compose(&words), key.as_bytes()).ends_with(0).keeps_secret(&[&key]);
        key
    }

    /// The tokens of an account's login, as they are now.
    pub(super) fn login(&self, account: &str) -> Vec<String> {
        let file = format!("/var/lib/coffer/data/accounts/{account}/login/store/.credentials.json");
        let login = run(self.compose(&["exec", "-T", "keeper", "cat", &file])).json();
        let token = |key: &str| login["claudeAiOauth"][key].as_str().unwrap().to_owned();
        vec![token("accessToken"), token("refreshToken")]
    }

    /// The containers, and when they were started, but for the keeper's.
    pub(super) fn ids(&self) -> Vec<String> {
        self.services()
            .iter()
            .map(|service| self.inspected(service, "{{.Id}} {{.State.StartedAt}}"))
            .collect()
    }

    /// What the engine keeps of a service's container.
    pub(super) fn inspected(&self, service: &str, format: &str) -> String {
        let id = run(self.compose(&["ps", "-q", service])).text();
        let mut inspect = self.engine.command();
        inspect.args(["inspect", "--format", format, id.trim()]);
        run(&mut inspect).ends_with(0).text().trim().to_owned()
    }

    pub(super) fn project(&self, name: &str) -> PathBuf {
        self.stage.project().join(name)
    }

    pub(super) fn requests(&self) -> Vec<RequestRecord> {
        self.api.requests()
    }

    /// The calls of the model so far.
    pub(super) fn messages(&self) -> Vec<RequestRecord> {
        self.requests().into_iter().filter(|one| one.path == "/v1/messages").collect()
    }

    /// How often a login was renewed.
    pub(super) fn refreshes(&self) -> usize {
        let tokens = self.requests().into_iter().filter(|one| one.path.contains("oauth/token"));
        // The first one was the sign-in's.
        tokens.count().saturating_sub(1)
    }

    /// Takes everything away; nothing of it stays.
    pub(super) fn ends(&self) -> Ran {
        run(self.compose(&["down", "--volumes", "--timeout", "10", "--remove-orphans"]))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.ends();
        let images = ["agent", "keeper", "base"].map(|image| format!("localhost/{}-{image}", self.name));
        run(self.engine.command().args(["rmi", "--force"]).args(images));
    }
}

/// An image to build on; its name.
fn base(engine: &Engine, stage: &Stage, name: &str) -> String {
    let folder = stage.scratch.root().join("base");
    std::fs::create_dir(&folder).unwrap();
    let file = format!("FROM {}\nCOPY apt-get npm /usr/local/bin/\n", Image::Debian.name());
    for (program, text, mode) in [("apt-get", APT, 0o755), ("npm", NPM, 0o755), ("Dockerfile", &file, 0o644)]
    {
        let path = folder.join(program);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    let base = format!("localhost/{name}-base");
    run(engine.command().args(["build", "--quiet", "--tag", &base]).arg(&folder)).ends_with(0);
    base
}
