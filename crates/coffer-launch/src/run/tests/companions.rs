//! What goes along with a run: when it starts and ends, what it is given, and that signals pass it by.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use coffer_plan::plan::{Reference, RunFolder};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, openat};

use super::{Ground, Known};
use crate::launch::{Launch, Place, Preparation, Word};
use crate::run::companion::{Alone, Companion, Company, Run};
use crate::run::folder::RunFolders;
use crate::run::{RunError, prepare};
use crate::supervise::Ended;

const LOGIN: &str = ".credentials.json";

fn launch(ground: &Ground) -> Launch {
    let content = Reference::HostEnv("TOKEN".to_owned());
    Launch {
        runtime: ground.path(),
        about: None,
        gateway: None,
        key_agents: None,
        limits: None,
        engine: None,
        environment: Vec::new(),
        preparations: vec![
            Preparation::Own(ground.path().join("state")),
            Preparation::Folder(RunFolder::Lease),
            Preparation::Lease { name: LOGIN.to_owned(), content },
            Preparation::Login { place: Place::Path(ground.path().join("state")), file: LOGIN.to_owned() },
        ],
        program: "/bin/true".into(),
        options: Vec::new(),
        inside: vec![Word::from("/bin/true")],
    }
}

/// Goes through what a run does, with `work` for the sandbox.
fn goes(
    ground: &Ground,
    companion: &dyn Companion,
    work: impl FnOnce(&RunFolders) -> Result<Ended, RunError>,
) -> Result<Ended, RunError> {
    let launch = launch(ground);
    let mut folders = RunFolders::new(&launch.runtime).unwrap();
    let known = Known(&[("TOKEN", b"sk-ant-oat01-FAKE-first")]);
    for preparation in &launch.preparations {
        prepare::prepare(preparation, &mut folders, &known, &Alone).unwrap();
    }
    let company = Company::new(&launch, &folders).unwrap();
    let ended = company.along(companion, || work(&folders));
    folders.remove().unwrap();
    ended
}

/// Says what it sees.
struct Witness {
    seen: Mutex<Vec<String>>,
    started: Mutex<Sender<()>>,
}

impl Witness {
    fn new() -> (Self, Receiver<()>) {
        let (started, waits) = channel();
        (Self { seen: Mutex::default(), started: Mutex::new(started) }, waits)
    }

    fn says(&self, text: String) {
        self.seen.lock().unwrap().push(text);
    }

    fn said(self) -> Vec<String> {
        self.seen.into_inner().unwrap()
    }
}

impl Companion for Witness {
    fn accompany(&self, run: &Run<'_>) {
        let lease = run.lease.as_ref().unwrap();
        self.says(format!("{} {:?}", lease.name, lease.source.to_string()));
        self.says(String::from_utf8_lossy(lease.first).into_owned());
        self.says(format!("state {:?}", run.state.as_ref().unwrap().first.map(String::from_utf8_lossy)));
        self.says(format!("blocked {}", blocked()));
        self.started.lock().unwrap().send(()).unwrap();
        poll(&mut [PollFd::new(&run.stop, PollFlags::IN)], None).unwrap();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        openat(lease.folder, "renewed", flags, Mode::RUSR).unwrap();
        self.says("stopped".to_owned());
    }

    fn settle(&self, run: &Run<'_>, ended: Option<&Ended>) {
        assert_eq!(run.id.len(), 16);
        self.says(format!("settles {ended:?}"));
    }
}

/// This thread's blocked signals, as the kernel writes them.
fn blocked() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim().to_owned()
}

#[test]
fn a_companion_starts_before_the_agent_is_told_of_its_end_and_settles_last() {
    let ground = Ground::new();
    ground.write("state/.credentials.json", "FAKE earlier sign-in");
    let (witness, started) = Witness::new();
    let before = blocked();
    let ended = goes(&ground, &witness, |_| {
        started.recv().unwrap();
        witness.says(format!("agent {}", blocked() == before));
        Ok(Ended::Exited(7))
    });
    assert!(matches!(ended, Ok(Ended::Exited(7))));
    let said = witness.said();
    assert_eq!(said[0], r#".credentials.json "@ref:env:TOKEN""#);
    assert_eq!(said[1], "sk-ant-oat01-FAKE-first");
    assert_eq!(said[2], r#"state Some("FAKE earlier sign-in")"#);
    // All but KILL and STOP, and the two that the C library keeps for itself.
    assert_eq!(said[3], "blocked fffffffe7ffbfeff");
    assert_eq!(&said[4..], ["agent true", "stopped", "settles Some(Exited(7))"]);
    assert_eq!(blocked(), before);
}

#[test]
fn a_lease_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let ground = Ground::new();
    let target = ground.write("victim/file", "untouched").parent().unwrap().to_owned();
    let (witness, started) = Witness::new();
    let ended = goes(&ground, &witness, |folders| {
        started.recv().unwrap();
        let lease = folders.path(RunFolder::Lease).unwrap();
        std::fs::rename(&lease, lease.with_extension("away")).unwrap();
        std::os::unix::fs::symlink(&target, &lease).unwrap();
        Ok(Ended::Exited(0))
    });
    ended.unwrap();
    // The control: it did write, where it was meant to.
    assert_eq!(witness.said()[4], "stopped");
    assert_eq!(super::names(&target), ["file"]);
}

#[test]
fn a_run_that_could_not_be_supervised_is_settled_all_the_same() {
    let ground = Ground::new();
    let (witness, started) = Witness::new();
    let ended = goes(&ground, &witness, |_| {
        started.recv().unwrap();
        Err(RunError::NoDiagnostics)
    });
    assert!(matches!(ended, Err(RunError::NoDiagnostics)));
    assert_eq!(witness.said().last().unwrap(), "settles None");
}

/// Falls over.
struct Clumsy;

impl Companion for Clumsy {
    fn accompany(&self, _: &Run<'_>) {
        panic!("on purpose");
    }

    fn settle(&self, _: &Run<'_>, _: Option<&Ended>) {}
}

#[test]
fn a_companion_that_falls_over_does_not_end_the_run() {
    let ground = Ground::new();
    assert!(matches!(goes(&ground, &Clumsy, |_| Ok(Ended::Exited(0))), Ok(Ended::Exited(0))));
}
