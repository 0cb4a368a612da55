//! What programs of the host would run later is kept from the agent; everyday git works in spite of that; what appears
//! all the same is moved aside. The probes are run on the host, too: there they succeed.

mod bounds;
mod git;
mod inventory;
mod places;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coffer_testkit::require;

use crate::support::{Ran, Stage, run, sandboxes};

/// A stage with a repository in the project, and a bare one beside it that is its remote.
struct Ground {
    stage: Stage,
}

impl Ground {
    fn new() -> Option<Self> {
        (sandboxes() && require::program("git").is_some()).then(|| Self::on(Stage::new()))
    }

    fn of_ordinary_user() -> Option<Self> {
        if !sandboxes() || require::program("git").is_none() {
            return None;
        }
        Stage::of_ordinary_user().map(Self::on)
    }

    fn on(stage: Stage) -> Self {
        let person = "[user]\n\tname = A Person\n\temail = person@example.invalid\n\
                      [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n";
        stage.scratch.write_home(".gitconfig", person).unwrap();
        let ground = Self { stage };
        ground.on_host(&format!(
            "mkdir -p {remote} && git init -q --bare {remote} && git init -q && git commit -q --allow-empty -m first \
             && git remote add origin {remote} && git push -q -u origin main",
            remote = ground.remote().display()
        ));
        ground
    }

    fn project(&self) -> PathBuf {
        self.stage.project()
    }

    fn remote(&self) -> PathBuf {
        self.stage.scratch.root().join("remote.git")
    }

    /// A script on the host, in the project, as the stage's user; it succeeds.
    #[track_caller]
    fn on_host(&self, script: &str) -> Ran {
        let ran = run(self.stage.command("sh").args(["-ec", script]).current_dir(self.project()));
        ran.ends_with(0);
        ran
    }

    /// The same in a sandbox, where the remote is there, too.
    fn inside(&self, flags: &[&str], script: &str) -> Ran {
        let remote = format!("{}:rw", self.remote().display());
        let mut words = vec!["--auth", "none", "--network", "none", "--mount", &remote];
        words.extend(flags);
        run(self.stage.run(words).args(["--", "sh", "-ec", script]).current_dir(self.project()))
    }

    /// A run that lives until it is killed, or its standard input ends.
    fn waiting(&self) -> Child {
        let mut command =
            self.stage.run(["--auth", "none", "--network", "none", "--", "sh", "-c", "echo up; cat"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 3]).unwrap();
        child
    }

    /// Names in the project's root that git does not know.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.project()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A file that is there, with what it holds.
fn text(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Whether a program of the host did what a planted command says: it makes the file of this name.
fn host_was_run(mark: &Path) -> bool {
    mark.exists()
}

/// Git on the host, whose every command would start what a repository names.
fn status(ground: &Ground, folder: &Path) -> Ran {
    let mut command: Command = ground.stage.command("git");
    run(command.arg("-C").arg(folder).args(["status", "-s"]))
}
