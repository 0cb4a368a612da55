//! What the host looked at is what the sandbox shows, or the agent does not start.

use crate::Test;
use crate::harness::host;
use crate::host::{Options, bubblewrap};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use tempfile::TempDir;

pub(crate) const TESTS: &[Test] = &[
    ("verify::what_is_as_it_was_lets_the_agent_start", what_is_as_it_was_lets_the_agent_start),
    ("verify::an_exchanged_source_is_not_shown", an_exchanged_source_is_not_shown),
    ("verify::a_place_without_a_mount_is_refused", a_place_without_a_mount_is_refused),
    ("verify::a_link_to_a_mount_is_refused", a_link_to_a_mount_is_refused),
    ("verify::a_writable_mount_is_not_read_only", a_writable_mount_is_not_read_only),
    ("verify::the_failing_option_is_named", the_failing_option_is_named),
    ("verify::by_hand_the_path_is_named", by_hand_the_path_is_named),
];

/// A project with the file `a`, a secret beside it, and a link to the secret in the project.
struct Fixture {
    folder: TempDir,
    /// `DEV:INO:PATH` of `a`, as the host saw it.
    seen: String,
}

impl Fixture {
    fn new() -> Self {
        // Not in /tmp, where the sandbox has its own.
        let folder = TempDir::new_in("/var/tmp").unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("project")).unwrap();
        std::fs::write(at("project/a"), "harmless\n").unwrap();
        std::fs::write(at("secret"), "SECRET\n").unwrap();
        symlink(at("secret"), at("project/b")).unwrap();
        let seen = object(&at("project/a"));
        Self { folder, seen }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).into_os_string().into_string().unwrap()
    }

    /// As an agent of another run does it.
    fn exchange(&self) {
        let (a, b) = (self.path("project/a"), self.path("project/b"));
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
    }

    /// The project, and in it `a` read-only.
    fn binds(&self) -> Vec<String> {
        let (project, a) = (self.path("project"), self.path("project/a"));
        ["--bind", &project, &project, "--ro-bind", &a, &a].map(str::to_owned).to_vec()
    }
}

fn object(path: &Path) -> String {
    let stat = path.symlink_metadata().unwrap();
    format!("{}:{}:{}", stat.dev(), stat.ino(), path.display())
}

fn run(backend: &[String], init: &[&str], agent: &[&str]) -> Output {
    let mut words = Vec::new();
    for option in backend {
        words.extend(["--bwrap", option]);
    }
    for option in init {
        words.extend(["--init", option]);
    }
    words.extend(agent);
    host(&words).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_refused(output: &Output, index: u32, errno: Option<i32>) {
    let said = format!("host: exchanged: {index}: {errno:?}\n");
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), said));
    assert_eq!(output.status.code(), Some(125));
}

fn what_is_as_it_was_lets_the_agent_start() {
    let fixture = Fixture::new();
    let (a, folder) = (fixture.path("project/a"), fixture.path("empty"));
    std::fs::create_dir(&folder).unwrap();
    let backend = [fixture.binds(), ["--tmpfs", &folder].map(str::to_owned).to_vec()].concat();
    let project = object(Path::new(&fixture.path("project")));
    let init = ["--verify", &project, "--verify-ro", &fixture.seen, "--verify-mount", &folder];
    let output = run(&backend, &init, &["cat", &a]);
    assert_eq!(text(&output.stdout), "harmless\n");
    assert_eq!(output.status.code(), Some(0));
}

fn an_exchanged_source_is_not_shown() {
    let fixture = Fixture::new();
    let a = fixture.path("project/a");
    // The host has looked; now the source is a link elsewhere.
    fixture.exchange();
    let bind = ["--ro-bind", &a, "/tmp/a"].map(str::to_owned);
    let stolen = run(&bind, &[], &["cat", "/tmp/a"]);
    assert_eq!(text(&stolen.stdout), "SECRET\n", "without the guard the secret is shown");
    let seen = fixture.seen.replace(&a, "/tmp/a");
    assert_refused(&run(&bind, &["--verify", &seen], &["cat", "/tmp/a"]), 0, None);
    assert_refused(&run(&bind, &["--verify-ro", &seen], &["cat", "/tmp/a"]), 0, None);
}

fn a_place_without_a_mount_is_refused() {
    let fixture = Fixture::new();
    let a = fixture.path("project/a");
    // The mount that belongs on `a` has gone elsewhere; the project itself shows the right object there, writable.
    let project = fixture.binds().into_iter().take(3).collect::<Vec<_>>();
    let write = format!("echo EVIL > {a}");
    assert_eq!(run(&project, &[], &["sh", "-c", &write]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&a).unwrap(), "EVIL\n");
    for option in [["--verify", &fixture.seen], ["--verify-ro", &fixture.seen], ["--verify-mount", &a]] {
        assert_refused(&run(&project, &option, &["true"]), 0, None);
    }
}

fn a_link_to_a_mount_is_refused() {
    let fixture = Fixture::new();
    let (secret, b) = (fixture.path("secret"), fixture.path("project/b"));
    let bind = ["--ro-bind", &secret, &secret].map(str::to_owned);
    let seen = object(Path::new(&secret));
    assert_eq!(run(&bind, &["--verify-ro", &seen], &["true"]).status.code(), Some(0));
    let through_link = seen.replace(&secret, &b);
    for option in [["--verify", &through_link], ["--verify-mount", &b]] {
        assert_refused(&run(&bind, &option, &["true"]), 0, None);
    }
    symlink(fixture.folder.path(), fixture.path("project/up")).unwrap();
    let up = fixture.path("project/up/secret");
    let through_link = seen.replace(&secret, &up);
    let too_many_links = Some(rustix::io::Errno::LOOP.raw_os_error());
    for option in [["--verify", &through_link], ["--verify-mount", &up]] {
        assert_refused(&run(&bind, &option, &["true"]), 0, too_many_links);
    }
}

fn a_writable_mount_is_not_read_only() {
    let fixture = Fixture::new();
    let a = fixture.path("project/a");
    let bind = ["--bind", &a, &a].map(str::to_owned);
    assert_eq!(run(&bind, &["--verify", &fixture.seen], &["true"]).status.code(), Some(0));
    assert_refused(&run(&bind, &["--verify-ro", &fixture.seen], &["true"]), 0, None);
}

fn the_failing_option_is_named() {
    let fixture = Fixture::new();
    let missing = fixture.path("missing");
    let not_found = Some(rustix::io::Errno::NOENT.raw_os_error());
    let init = ["--verify-ro", &fixture.seen, "--verify-mount", "/tmp", "--verify-mount", &missing];
    assert_refused(&run(&fixture.binds(), &init, &["true"]), 2, not_found);
}

fn by_hand_the_path_is_named() {
    let fixture = Fixture::new();
    let a = fixture.path("project/a");
    let options = |init: &[&str]| Options {
        backend: fixture.binds().into_iter().map(OsString::from).collect(),
        init: init.iter().map(OsString::from).collect(),
    };
    let cat = |options| bubblewrap(&options, None, ["cat", &a]).stdin(Stdio::null()).output().unwrap();
    let shown = cat(options(&["--verify-ro", &fixture.seen]));
    assert_eq!((text(&shown.stdout), shown.status.code()), ("harmless\n".to_owned(), Some(0)));
    let other = format!("0:{}", fixture.seen);
    let refused = cat(options(&["--verify", &other]));
    assert_eq!((text(&refused.stdout), refused.status.code()), (String::new(), Some(125)));
    assert!(text(&refused.stderr).starts_with("coffer-init: usage: "), "{}", text(&refused.stderr));
    let other = format!("0:0:{a}");
    let refused = cat(options(&["--verify", &other]));
    assert_eq!((text(&refused.stdout), refused.status.code()), (String::new(), Some(125)));
    let said = format!("coffer-init: `{a}` is not what it was when the plan was made\n");
    assert_eq!(text(&refused.stderr), said);
}
