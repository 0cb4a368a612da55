//! The tier `dev` with registries as the user's own tools have them: stock projects install, with the genuine npm, pip
//! and cargo, from small registries on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use coffer_testkit::{netns, require};
use sha2::Digest as _;

use crate::support::{Ran, Stage, run, sandboxes};

/// Files over HTTP, and who asked for what.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Serves on a port of loopback until the test ends.
    pub(crate) fn serve(&self) -> u16 {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let registry = self.clone();
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let registry = registry.clone();
                std::thread::spawn(move || registry.answer(stream));
            }
        });
        port
    }

    fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.lock().unwrap().insert(path.to_owned(), content.into());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// One request a connection; whoever hangs up has hung up.
    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = String::new();
        while reader.read_line(&mut head).ok()? > 2 {}
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<u64>().ok()
        });
        reader.by_ref().take(length.unwrap_or(0)).read_to_end(&mut Vec::new()).ok()?;
        let mut words = head.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        self.asked.lock().unwrap().push(format!("{method} {path}"));
        let found = self.files.lock().unwrap().get(path).cloned().filter(|_| method == "GET");
        let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
        let kind = if path.starts_with("/simple") { "text/html" } else { "application/octet-stream" };
        let body = found.unwrap_or_default();
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .ok()?;
        stream.write_all(&body).ok()
    }
}

/// A stage whose user has this registry, as `registry.example.org`.
fn stage(registry: &Registry) -> Stage {
    let stage = Stage::new();
    has(&stage, registry);
    stage
}

/// The stage's user has this registry, as `registry.example.org`.
fn has(stage: &Stage, registry: &Registry) {
    let port = registry.serve();
    stage
        .config(&format!("network = 'dev'\n[upstream.hosts]\n'registry.example.org' = '127.0.0.1:{port}'\n"));
}

/// A folder as the packers of the registries pack it.
fn packed(stage: &Stage, name: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let folder = stage.scratch.root().join("packed");
    for (file, text) in files {
        let path = folder.join(name).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let packed = run(Command::new("tar").arg("-C").arg(&folder).args(["-cz", name]));
    std::fs::remove_dir_all(&folder).unwrap();
    packed.ends_with(0).stdout.clone()
}

/// The user's script in the sandbox of the tier `dev`, without a flag that says so.
fn inside(stage: &Stage, flags: &[&str], script: &str) -> Ran {
    let mut command = stage.run(["--auth", "none"]);
    run(command.args(flags).args(["--", "sh", "-c", script]))
}

/// npm's registry: a package at a path, which needs another one.
fn npm_registry(stage: &Stage, registry: &Registry, host: &str) {
    for (name, needs) in [("made-up-app", r#"{"made-up-dep": "^1.0.0"}"#), ("made-up-dep", "{}")] {
        let manifest = format!(r#"{{"name": "{name}", "version": "1.0.0", "dependencies": {needs}}}"#);
        let code = match name {
            "made-up-app" => "module.exports = 'app and ' + require('made-up-dep')",
            _ => "module.exports = 'dep'",
        };
        let tarball = packed(stage, "package", &[("package.json", &manifest), ("index.js", code)]);
        registry.put(&format!("/npm/{name}/-/{name}-1.0.0.tgz"), tarball);
        let about = format!(
            r#"{{"name": "{name}", "dist-tags": {{"latest": "1.0.0"}}, "versions": {{"1.0.0": {{"name": "{name}",
            "version": "1.0.0", "dependencies": {needs}, "dist": {{"tarball": "http://{host}/npm/{name}/-/{name}-1.0.0.tgz"}}}}}}}}"#
        );
        registry.put(&format!("/npm/{name}"), about);
    }
}

const PACKAGE: &str = r#"{"name": "project", "version": "1.0.0", "dependencies": {"made-up-app": "^1.0.0"}}"#;
const NPM_INSTALL: &str = "npm install >&2 && node -e \"console.log(require('made-up-app'))\"";

#[test]
fn a_node_project_installs_from_the_users_registry() {
    let test = "registries::a_node_project_installs_from_the_users_registry";
    if !sandboxes() || require::program("npm").is_none() || !netns::inside(test, &[]) {
        return;
    }
    let registry = Registry::default();
    let stage = stage(&registry);
    npm_registry(&stage, &registry, "registry.example.org");
    stage.project_file("package.json", PACKAGE);
    // A positive control: without the user's word there is no way to it.
    let without = inside(&stage, &[], "npm install --fetch-retries=0");
    assert_ne!(without.code, Some(0), "{without}");
    assert_eq!(registry.asked(), Vec::<String>::new());
    let npmrc =
        "registry=http://registry.example.org/npm/\n//registry.example.org/npm/:_authToken=FAKE-npm-CANARY\n";
    stage.scratch.write_home(".npmrc", npmrc).unwrap();
    inside(&stage, &[], NPM_INSTALL).prints("app and dep\n").keeps_secret(&["FAKE-npm-CANARY"]);
    assert!(registry.asked().contains(&"GET /npm/made-up-dep/-/made-up-dep-1.0.0.tgz".to_owned()));
    let seen = inside(&stage, &[], "cat ~/.npmrc");
    seen.prints("registry=http://registry.example.org/npm/\n");
    let why = run(stage.coffer(["why", "host", "registry.example.org:80"]));
    assert!(why.ends_with(0).text().contains("tool npm: registry in `npm config get`"), "{why}");
    let plan = run(stage.coffer(["plan", "--json", "--auth", "none", "--agent", "shell"])).json();
    let allowed = plan["network"]["allow"].as_array().unwrap();
    assert!(allowed.iter().any(|host| host["origin"]["layer"] == "tool"), "{allowed:?}");
}

/// What stands in the user's pip configuration, and nowhere inside.
pub(crate) const INDEX_SECRET: &str = "FAKE-pip-CANARY";
/// Makes a virtual environment in the project, and installs into it.
pub(crate) const INSTALLS: &str = "/usr/bin/python3 -m venv .venv && .venv/bin/pip install made-up-wheel >&2";
/// Uses what was installed.
pub(crate) const USES: &str = ".venv/bin/python -c 'import made_up_wheel; print(made_up_wheel.word)'";

/// The stage's user has this registry as the index of their pip configuration; in it is a wheel that needs another one.
pub(crate) fn index(stage: &Stage, registry: &Registry) {
    has(stage, registry);
    put_wheels(stage, registry);
    let conf = format!(
        "[global]\nindex-url = http://user:{INDEX_SECRET}@registry.example.org/simple\ntrusted-host = registry.example.org\n"
    );
    stage.scratch.write_home(".config/pip/pip.conf", &conf).unwrap();
}

#[test]
fn a_python_project_installs_from_the_users_index() {
    let test = "registries::a_python_project_installs_from_the_users_index";
    let has_venv =
        run(Command::new("/usr/bin/python3").args(["-c", "import venv, ensurepip"])).code == Some(0);
    if !sandboxes() || !require::capability("venv", has_venv) || !netns::inside(test, &[]) {
        return;
    }
    let registry = Registry::default();
    let stage = Stage::new();
    index(&stage, &registry);
    inside(&stage, &[], &format!("{INSTALLS} && {USES}"))
        .prints("wheel and dep\n")
        .keeps_secret(&[INDEX_SECRET]);
    // It survives, and works in the next run.
    let count = registry.asked().len();
    inside(&stage, &[], USES).prints("wheel and dep\n");
    assert_eq!(registry.asked().len(), count, "nothing was fetched again");
    let seen = inside(&stage, &[], "cat ~/.config/pip/pip.conf");
    seen.ends_with(0).keeps_secret(&[INDEX_SECRET, "user:"]);
    let audit = run(stage.coffer(["plan", "--auth", "none", "--agent", "shell"]));
    assert!(audit.ends_with(0).text().contains("a credential in `global.index-url`"), "{audit}");
}

/// An index with a package that needs another one.
pub(crate) fn put_wheels(stage: &Stage, registry: &Registry) {
    for (name, code, needs) in [
        (
            "made_up_wheel",
            "from made_up_dep import word\nword = 'wheel and ' + word\n",
            "Requires-Dist: made-up-dep\n",
        ),
        ("made_up_dep", "word = 'dep'\n", ""),
    ] {
        let file = format!("{name}-1.0-py3-none-any.whl");
        registry.put(&format!("/files/{file}"), wheel(stage, name, code, needs));
        let page = format!("<!DOCTYPE html><html><body><a href=\"/files/{file}\">{file}</a></body></html>");
        registry.put(&format!("/simple/{}/", name.replace('_', "-")), page);
    }
}

/// A wheel with one module.
fn wheel(stage: &Stage, name: &str, code: &str, needs: &str) -> Vec<u8> {
    let folder = stage.scratch.root().join("wheel");
    let info = format!("{name}-1.0.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n{needs}", name.replace('_', "-"));
    let tags = "Wheel-Version: 1.0\nGenerator: made-up\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let record = format!("{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n");
    let module = format!("{name}.py");
    for (file, text) in [
        (module.as_str(), code),
        (&format!("{info}/METADATA"), &metadata),
        (&format!("{info}/WHEEL"), tags),
        (&format!("{info}/RECORD"), &record),
    ] {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut zip = Command::new("/usr/bin/python3");
    zip.current_dir(&folder).args(["-m", "zipfile", "-c", "x.zip", &module, &info]);
    run(&mut zip).ends_with(0);
    let bytes = std::fs::read(folder.join("x.zip")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
}

/// The toolchain that builds these tests.
fn toolchain() -> Option<PathBuf> {
    let cargo = std::env::var("CARGO").ok().map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = cargo.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    let found =
        folder.filter(|folder| folder.join("bin/cargo").is_file() && folder.join("bin/rustc").is_file());
    if found.is_none() {
        require::skip("cargo", "`CARGO` names no toolchain");
    }
    found
}

#[test]
fn a_rust_project_installs_from_the_users_index() {
    let test = "registries::a_rust_project_installs_from_the_users_index";
    let Some(toolchain) = toolchain() else { return };
    if !sandboxes() || !netns::inside(test, &[]) {
        return;
    }
    let registry = Registry::default();
    let stage = Stage::new();
    let port = registry.serve();
    let hosts =
        format!("'registry.example.org' = '127.0.0.1:{port}'\n'files.example.org' = '127.0.0.1:{port}'\n");
    stage.config(&format!("network = 'dev'\n[upstream.hosts]\n{hosts}"));
    let manifest = "[package]\nname = \"made-up-crate\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    let files = [("Cargo.toml", manifest), ("src/lib.rs", "pub fn word() -> &'static str { \"crate\" }\n")];
    let krate = packed(&stage, "made-up-crate-1.0.0", &files);
    let sum: String = sha2::Sha256::digest(&krate).iter().map(|byte| format!("{byte:02x}")).collect();
    registry.put("/crates/made-up-crate/1.0.0/download", krate);
    let line = format!(
        r#"{{"name":"made-up-crate","vers":"1.0.0","deps":[],"cksum":"{sum}","features":{{}},"yanked":false}}"#
    );
    registry.put("/index/ma/de/made-up-crate", line);
    let config = r#"{"dl": "http://files.example.org/crates"}"#;
    registry.put("/index/config.json", config);
    let user = "[source.crates-io]\nreplace-with = 'mirror'\n[source.mirror]\nregistry = 'sparse+http://registry.example.org/index/'\n\
                [registries.other]\nindex = 'sparse+https://other.example.org/'\ntoken = 'FAKE-cargo-CANARY'\n";
    stage.scratch.write_home(".cargo/config.toml", user).unwrap();
    let project = "[package]\nname = \"project\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nmade-up-crate = \"1\"\n";
    stage.project_file("Cargo.toml", project);
    stage.project_file("src/lib.rs", "pub fn word() -> &'static str { made_up_crate::word() }\n");
    let bin = toolchain.join("bin").display().to_string();
    let mount = toolchain.display().to_string();
    let build = format!(
        "export PATH={bin}:$PATH; cargo build >&2 && ls target/debug/*.rlib && cat ~/.cargo/config.toml"
    );
    let flags = ["--mount", mount.as_str()];
    // Where crates lie cargo tells nobody, until it has used the index once.
    let unknown = inside(&stage, &flags, &build);
    assert_ne!(unknown.code, Some(0), "{unknown}");
    assert!(unknown.stderr.contains("coffer allow files.example.org:80"), "{unknown}");
    stage
        .scratch
        .write_home(
            ".cargo/registry/index/registry.example.org-0123456789abcdef/config.json",
            r#"{"dl": "http://files.example.org/crates"}"#,
        )
        .unwrap();
    let built = inside(&stage, &flags, &build);
    built.ends_with(0).keeps_secret(&["FAKE-cargo-CANARY"]);
    assert!(
        built.text().contains("libproject.rlib") && built.text().contains("other.example.org"),
        "{built}"
    );
}

#[test]
fn a_registry_on_the_users_loopback_is_there_inside() {
    let test = "registries::a_registry_on_the_users_loopback_is_there_inside";
    if !sandboxes() || require::program("npm").is_none() || !netns::inside(test, &[]) {
        return;
    }
    let registry = Registry::default();
    let stage = Stage::new();
    let port = registry.serve();
    npm_registry(&stage, &registry, &format!("localhost:{port}"));
    stage.config("network = 'dev'\n");
    stage.scratch.write_home(".npmrc", &format!("registry=http://localhost:{port}/npm/\n")).unwrap();
    stage.project_file("package.json", PACKAGE);
    inside(&stage, &[], NPM_INSTALL).prints("app and dep\n");
}

#[test]
fn a_registry_that_only_the_project_names_is_a_proposal() {
    let test = "registries::a_registry_that_only_the_project_names_is_a_proposal";
    if !sandboxes() || require::program("npm").is_none() || !netns::inside(test, &[]) {
        return;
    }
    let (users, projects) = (Registry::default(), Registry::default());
    let stage = Stage::new();
    let hosts = format!(
        "'registry.example.org' = '127.0.0.1:{}'\n'other.example.org' = '127.0.0.1:{}'\n",
        users.serve(),
        projects.serve()
    );
    stage.config(&format!("network = 'dev'\n[upstream.hosts]\n{hosts}"));
    npm_registry(&stage, &projects, "other.example.org");
    stage.scratch.write_home(".npmrc", "registry=http://registry.example.org/npm/\n").unwrap();
    stage.project_file("package.json", PACKAGE);
    stage.project_file(".npmrc", "registry=http://other.example.org/npm/\n");
    let refused = inside(&stage, &[], NPM_INSTALL);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("coffer allow other.example.org:80"), "{refused}");
    assert_eq!((users.asked(), projects.asked()), (Vec::new(), Vec::new()));
    let plan = run(stage.coffer(["plan", "--auth", "none", "--agent", "shell"]));
    let proposal = "host `other.example.org:80` (`coffer allow other.example.org:80`)";
    assert!(plan.ends_with(0).text().contains(proposal), "{plan}");
    let trusted = run(stage.coffer(["trust", "--yes"]));
    assert!(trusted.ends_with(0).stderr.contains("other.example.org:80"), "{trusted}");
    inside(&stage, &[], NPM_INSTALL).prints("app and dep\n");
    // Other hosts in the same file are nobody's word again.
    stage.project_file(
        ".npmrc",
        "registry=http://other.example.org/npm/\n@x:registry=http://third.example.org/\n",
    );
    std::fs::remove_dir_all(stage.project().join("node_modules")).unwrap();
    let _ = std::fs::remove_file(stage.project().join("package-lock.json"));
    assert_ne!(inside(&stage, &[], NPM_INSTALL).code, Some(0));
}
