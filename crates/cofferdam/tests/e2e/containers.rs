//! The same `coffer run` in containers of real engines: podman of root and of an ordinary user, and docker.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coffer_testkit::engine::{Engine, Image, KINDS, Kind};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::screen::Person;
use crate::support::{Ran, Stage, run, run_with_input};

mod conformance;
mod doctored;
mod genuine;
mod python;
mod race;
mod sign_ins;
mod signed_in;
mod troubles;
mod volumes;

/// A secret that must not be anywhere but in the agent's own environment.
const SECRET: &str = "sk-FAKE-in-a-container";

/// A login that nobody has to renew for a long time.
const LOGIN: &str = r#"{"claudeAiOauth": {"accessToken": "sk-ant-oat01-FAKE-access", "refreshToken":
    "sk-ant-ort01-FAKE-refresh", "expiresAt": 9999999999999, "scopes": ["user:inference", "user:profile"],
    "subscriptionType": "max"}}"#;

/// An engine with an image, and who runs `coffer` on it.
pub(crate) struct Place {
    pub(crate) engine: Engine,
    pub(crate) stage: Stage,
    image: &'static str,
}

/// A stage of whoever runs this engine.
pub(crate) fn stage(kind: Kind) -> Option<Stage> {
    match kind {
        Kind::PodmanOfUser if rustix::process::geteuid().is_root() => Stage::of_ordinary_user(),
        Kind::PodmanOfUser | Kind::PodmanOfRoot | Kind::Docker => Some(Stage::new()),
    }
}

impl Place {
    pub(crate) fn new(kind: Kind, image: Image) -> Option<Self> {
        let engine = Engine::new(kind).unwrap()?;
        let image = engine.image(image).unwrap()?;
        Some(Self { engine, stage: stage(kind)?, image })
    }

    /// The image that its runs have.
    pub(crate) const fn image(&self) -> &'static str {
        self.image
    }

    /// Adds what leads to the engine.
    pub(crate) fn with_engine(&self, mut command: Command) -> Command {
        command.env("PATH", self.engine.path()).envs(self.engine.env().iter().cloned());
        command
    }

    /// `coffer run` in a container, with these flags; nothing of the network unless they say so.
    fn run(&self, flags: &[&str]) -> Command {
        let backend = ["--backend", self.engine.backend(), "--image", self.image];
        self.with_engine(self.stage.run(backend.iter().chain(flags)))
    }

    fn inside(&self, flags: &[&str], script: &str) -> Ran {
        run(self.run(flags).args(["--", "sh", "-c", script]))
    }

    fn uid(&self) -> u32 {
        self.engine.user().map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
    }

    /// Names of all of its containers.
    fn containers(&self) -> String {
        run(self.engine.command().args(["ps", "--all", "--format", "{{.Names}}"])).text()
    }

    /// Names of those that runs of this stage have: others may use the same daemon.
    fn own_containers(&self) -> String {
        let label = format!("label=cofferdam.runtime={}", self.runs().parent().unwrap().display());
        let all = ["ps", "--all", "--filter", &label, "--format", "{{.Names}}"];
        run(self.engine.command().args(all)).text()
    }

    /// Where the run's folders are: a rootless engine brings a runtime folder of its own.
    pub(crate) fn runs(&self) -> PathBuf {
        let own = self.engine.env().iter().find(|(name, _)| name == "XDG_RUNTIME_DIR");
        let runtime = own.map_or_else(|| self.stage.scratch.runtime(), |(_, value)| PathBuf::from(value));
        runtime.join("cofferdam/runs")
    }

    /// The folders of runs.
    fn live(&self) -> Vec<PathBuf> {
        let entries = self.runs().read_dir().unwrap().map(|entry| entry.unwrap());
        // What is held in projects is written down beside them.
        let runs = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        runs.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }
}

/// Runs the body with each engine that is there.
pub(crate) fn with_each(image: Image, body: impl Fn(&Place)) {
    for kind in KINDS {
        if let Some(place) = Place::new(kind, image) {
            body(&place);
        }
    }
}

/// A named pipe in the project, by which both sides wait for each other.
fn pipe(place: &Place, name: &str) -> PathBuf {
    let path = place.stage.project().join(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    std::os::unix::fs::chown(&path, Some(place.uid()), None).unwrap();
    path
}

/// A run that has said that it is there, and goes on until it is told.
struct Waiting {
    child: Child,
    go: PathBuf,
}

impl Waiting {
    fn new(place: &Place, flags: &[&str]) -> Self {
        let (there, go) = (pipe(place, "there"), pipe(place, "go"));
        let mut command = place.run(flags);
        command.args(["--", "sh", "-c", "echo $$ >there; read word <go; echo \"$word\""]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Opens when somebody inside opens it, too.
        assert_ne!(std::fs::read_to_string(there).unwrap(), "");
        Self { child, go }
    }

    fn ends(self) -> Ran {
        std::fs::write(&self.go, "went on\n").unwrap();
        Ran::from(self.child.wait_with_output().unwrap())
    }
}

#[test]
fn the_command_runs_as_the_user_and_its_files_are_theirs() {
    with_each(Image::Tiny, |place| {
        let secret = place.stage.project_file("only-mine", "mine\n");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        let ran = place.inside(&["--network", "none"], "id -u; cat only-mine; pwd; echo x >made; exit 7");
        let (uid, project) = (place.uid(), place.stage.project());
        ran.ends_with(7);
        assert_eq!(ran.text(), format!("{uid}\nmine\n{}\n", project.display()), "{ran}");
        assert_eq!(project.join("made").metadata().unwrap().uid(), uid);
    });
}

#[test]
fn streams_terminals_and_ends_are_those_of_the_command() {
    with_each(Image::Tiny, |place| {
        let none = ["--network", "none"];
        run_with_input(place.run(&none).args(["--", "cat"]), b"to and fro").prints("to and fro");
        place.inside(&none, "echo out; echo err >&2; kill -TERM $$").ends_with(143);
        let missing = run(place.run(&none).args(["--", "no-such-program"]));
        missing.refuses(127, "command", "`no-such-program`", "command -v");
        let mut person = Person::starts({
            let mut command = place.run(&none);
            command.args(["--", "sh", "-c", "tty; stty size; read line; echo \"<$line>\""]);
            command
        });
        person.sees(&["40 120"]);
        person.types("typed\r");
        person.sees(&["<typed>"]);
        let (status, seen) = person.waits();
        assert!(status.success() && seen.contains("/dev/pts/0"), "{:?}: {seen}", place.engine.kind());
    });
}

#[test]
fn nothing_of_the_host_is_visible_but_the_project() {
    with_each(Image::Tiny, |place| {
        let scratch = place.stage.scratch.root().to_owned();
        place.stage.scratch.write_home("private", "canary").unwrap();
        let look = |path: &Path| format!("test ! -e {} || echo {0} is there; ", path.display());
        let mut script: String = [place.stage.home().join("private"), scratch.join("bin"), place.runs()]
            .iter()
            .map(|path| look(path))
            .collect();
        // What the engine and the image say of themselves is not the agent's; neither is init's own process.
        script.push_str(
            "env | cut -d= -f1 | sort | tr '\\n' ' '; cat /proc/1/environ; grep -c : /proc/net/dev; \
             grep -E '^(Cap|NoNew)' /proc/self/status | grep -v 0000000000000000; ls /run/coffer/host; touch /x /run/coffer/x",
        );
        let ran = place.inside(&["--network", "none"], &script);
        let text = ran.text();
        assert!(!text.contains("is there"), "{:?}: {ran}", place.engine.kind());
        for engines in ["container", "HOSTNAME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINERS_CONF"] {
            assert!(!text.contains(engines), "{engines}: {ran}");
        }
        // One interface, and nothing after it: no capability, no socket.
        assert!(text.trim_end().ends_with(" 1\nNoNewPrivs:\t1"), "{:?}: {ran}", place.engine.kind());
        assert!(ran.stderr.contains("/proc/1/environ") && ran.stderr.contains("/x"), "{ran}");
    });
}

#[test]
fn no_secret_is_on_a_command_line_or_in_what_the_engine_keeps() {
    with_each(Image::Tiny, |place| {
        let (there, go) = (pipe(place, "there"), pipe(place, "go"));
        let mut command = place.run(&["--network", "none", "--env", "MY_TOKEN"]);
        command.env("MY_TOKEN", SECRET);
        command.args(["--", "sh", "-c", "echo x >there; read word <go; test \"$MY_TOKEN\" = \"$word\""]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::fs::read_to_string(there).unwrap();
        let [run_folder] = &place.live()[..] else { panic!("not one run") };
        let about = std::fs::read_to_string(run_folder.join("about.json")).unwrap();
        assert!(about.contains(&format!("\"backend\":\"{}\"", place.engine.backend())), "{about}");
        let name = format!("coffer-{}", run_folder.file_name().unwrap().to_str().unwrap());
        assert!(place.containers().contains(&name));
        let kept = run(place.engine.command().args(["inspect", &name]));
        kept.ends_with(0).keeps_secret(&[SECRET]);
        assert!(kept.text().contains("/run/coffer/coffer-init"), "{kept}");
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&words).contains(SECRET), "{process:?}");
        }
        std::fs::write(go, format!("{SECRET}\n")).unwrap();
        Ran::from(child.wait_with_output().unwrap()).ends_with(0);
        assert!(!place.containers().contains(&name), "it is left");
    });
}

#[test]
fn a_lease_is_there_with_the_access_token_alone() {
    with_each(Image::Tiny, |place| {
        place.stage.scratch.write_home(".claude/.credentials.json", LOGIN).unwrap();
        let file = place.stage.home().join(".claude/.credentials.json");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let script = "f=$CLAUDE_SECURESTORAGE_CONFIG_DIR/.credentials.json; stat -c %a $f; cat $f";
        let ran = place.inside(&["--network", "none", "--auth", "lease"], script);
        ran.ends_with(0).keeps_secret(&["sk-ant-ort01-FAKE-refresh"]);
        assert!(ran.text().starts_with("600\n") && ran.text().contains("sk-ant-oat01-FAKE-access"), "{ran}");
    });
}

/// Answers each connection with this text.
fn answers(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut asked = [0; 1024];
            // Whoever says nothing is answered, too.
            let _ = connection.read(&mut asked);
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
            let _ = connection.write_all(format!("{head}{text}").as_bytes());
        }
    });
    port
}

#[test]
fn the_way_out_is_the_gateway_and_nothing_else() {
    with_each(Image::Tiny, |place| {
        let port = answers("from outside\n");
        place.stage.config(&format!("[upstream.hosts]\n'service.example' = '127.0.0.1:{port}'\n"));
        let allow = ["--network", "dev", "--allow", "service.example:80"];
        place.inside(&allow, "wget -q -O - http://service.example/").prints("from outside\n");
        let refused = place.inside(&allow, "wget -q -O - http://other.example/ 2>&1");
        assert_ne!(refused.code, Some(0), "{refused}");
        // Past it there is nothing.
        let direct = place
            .inside(&allow, &format!("unset http_proxy HTTP_PROXY; wget -q -O - http://127.0.0.1:{port}/"));
        assert_ne!(direct.code, Some(0), "{direct}");
        let forward = port.to_string();
        let there = place.inside(
            &["--network", "none", "--forward", &forward],
            &format!("wget -q -O - http://127.0.0.1:{port}/"),
        );
        there.prints("from outside\n");
    });
}

#[test]
fn limits_are_held_and_named_or_refused() {
    with_each(Image::Tiny, |place| {
        let flags = ["--network", "none", "--memory", "48M"];
        let eat = "x=0123456789abcdef; while :; do x=$x$x; done";
        let ran = place.inside(&flags, eat);
        if place.engine.kind() == Kind::PodmanOfUser
            && !Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
        {
            // It would ignore them.
            ran.refuses(125, "no-limit", "podman has no controller `memory`", "--memory none");
        } else {
            ran.ends_with(137);
            assert!(
                ran.stderr.contains("memory limit of 48M") && ran.stderr.contains("`--memory 96M`"),
                "{ran}"
            );
        }
    });
}

#[test]
fn one_static_program_is_enough_of_an_image() {
    with_each(Image::Distroless, |place| {
        let ran = run(place.run(&["--network", "none"]).args(["--", "/cat", "/etc/passwd"]));
        ran.ends_with(0);
        assert!(ran.text().contains(&format!(":x:{}:", place.uid())), "{ran}");
    });
}

#[test]
fn what_an_engines_configuration_adds_keeps_the_agent_from_starting() {
    for kind in [Kind::PodmanOfRoot, Kind::PodmanOfUser] {
        let Some(place) = Place::new(kind, Image::Tiny) else { continue };
        let own = place.engine.env().iter().find(|(name, _)| name == "CONTAINERS_CONF").unwrap().1.clone();
        let text = std::fs::read_to_string(own).unwrap();
        let folder = place.stage.project_file("shown/file", "canary").parent().unwrap().to_owned();
        let changed = place.stage.scratch.root().join("containers.conf");
        let with = |line: &str| {
            std::fs::write(&changed, text.replace("[containers]", &format!("[containers]\n{line}"))).unwrap();
            let mut command = place.run(&["--network", "none"]);
            run(command.env("CONTAINERS_CONF", &changed).args(["--", "cat", "/more/file"]))
        };
        let volume = with(&format!("volumes = [\"{}:/more:ro\"]", folder.display()));
        volume.refuses(125, "not-in-the-plan", "something is mounted on `/more`", "containers.conf");
        assert!(!volume.text().contains("canary"), "{volume}");
        let device = with("devices = [\"/dev/zero:/dev/more:r\"]");
        device.refuses(125, "not-in-the-plan", "`/dev/more`", "containers.conf");
        // The same file without either is fine.
        with("").ends_with(1);
        assert_eq!(place.own_containers(), "");
    }
}

#[test]
fn a_killed_coffer_leaves_no_container() {
    with_each(Image::Tiny, |place| {
        let waiting = Waiting::new(place, &["--network", "none"]);
        let [folder] = &place.live()[..] else { panic!("not one run") };
        let name = format!("coffer-{}", folder.file_name().unwrap().to_str().unwrap());
        assert!(place.containers().contains(&name));
        let coffer = Pid::from_child(&waiting.child);
        kill_process(coffer, Signal::KILL).unwrap();
        // Its init has seen the control socket close by now, or the next start takes what is left.
        drop(waiting.child.wait_with_output().unwrap());
        place.inside(&["--network", "none"], "true").ends_with(0);
        assert!(!place.containers().contains(&name), "{:?}", place.engine.kind());
        assert_eq!(place.live(), Vec::<PathBuf>::new(), "{:?}", place.engine.kind());
    });
}

#[test]
fn a_live_run_goes_on_while_others_begin() {
    with_each(Image::Tiny, |place| {
        let waiting = Waiting::new(place, &["--network", "none"]);
        place.inside(&["--network", "none"], "echo other").prints("other\n");
        waiting.ends().prints("went on\n");
    });
}
