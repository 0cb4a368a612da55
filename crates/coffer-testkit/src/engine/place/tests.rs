use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::process::ChildStdout;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use super::*;

/// Says its id and waits for ever, as a daemon does.
const DAEMON: [&str; 3] = ["sh", "-c", "echo $$ >\"$0\"; exec tail -f /dev/null"];

fn daemon(folder: &Path) -> Vec<OsString> {
    let said = folder.join("said");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &said,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    DAEMON.iter().map(Into::into).chain([said.into()]).collect()
}

/// The daemon's process; its first line comes through the pipe, so nobody waits too short.
fn started(folder: &Path) -> OwnedFd {
    let mut line = String::new();
    BufReader::new(File::open(folder.join("said")).unwrap()).read_line(&mut line).unwrap();
    pidfd(line.trim().parse().unwrap())
}

fn pidfd(pid: i32) -> OwnedFd {
    pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap()
}

fn ends(process: &OwnedFd) -> bool {
    let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)).unwrap() > 0
}

fn runs(process: &OwnedFd) -> bool {
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&Timespec::default())).unwrap() == 0
}

#[test]
fn a_place_goes_with_its_daemon_when_it_is_dropped() {
    let place = Place::new("place", |folder| Ok(daemon(folder))).unwrap();
    let (folder, process) = (place.folder().to_owned(), started(place.folder()));
    fs::write(folder.join("end"), format!("touch {}.ended\n", folder.display())).unwrap();
    assert!(runs(&process));
    drop(place);
    assert!(!runs(&process));
    assert!(!folder.exists());
    fs::remove_file(folder.with_added_extension("ended")).unwrap();
}

#[test]
fn the_daemon_of_a_killed_owner_ends_and_its_folder_goes() {
    const CHILD: &str = "COFFER_TEST_PLACE_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let place = Place::new("place", |folder| Ok(daemon(folder))).unwrap();
        let mut out = io::stdout();
        io::Write::write_all(
            &mut out,
            format!("place {} {}\n", place.keeper.id(), place.folder().display()).as_bytes(),
        )
        .unwrap();
        io::Read::read(&mut io::stdin(), &mut [0]).unwrap();
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "engine::place::tests::the_daemon_of_a_killed_owner_ends_and_its_folder_goes",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (keeper, folder) = told(child.stdout.take().unwrap());
    let (keeper, process) = (pidfd(keeper), started(&folder));
    assert!(runs(&process) && runs(&keeper));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ends(&process), "the daemon of a killed test goes on");
    assert!(ends(&keeper));
    assert!(!folder.exists());
}

/// What the child says of its place, among what the harness says.
fn told(stdout: ChildStdout) -> (i32, PathBuf) {
    let line =
        BufReader::new(stdout).lines().map(Result::unwrap).find(|line| line.contains("place ")).unwrap();
    let words: Vec<&str> = line.rsplit("place ").next().unwrap().split(' ').collect();
    (words[0].parse().unwrap(), words[1].into())
}

#[test]
fn a_killed_keeper_takes_its_daemon_along() {
    let place = Place::new("place", |folder| Ok(daemon(folder))).unwrap();
    let process = started(place.folder());
    let keeper = Pid::from_raw(i32::try_from(place.keeper.id()).unwrap()).unwrap();
    kill_process(keeper, Signal::KILL).unwrap();
    assert!(ends(&process));
    fs::remove_dir_all(place.folder()).unwrap();
}

#[test]
fn what_is_shared_is_made_once_and_ends_with_its_owner() {
    let mut owner = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(owner.id()).unwrap();
    let whose = Owner { pid, started: Process::read(pid).unwrap().started };
    let share = |made: &mut u32| {
        Shared::of(
            whose,
            "thing",
            |folder| Ok(daemon(folder)),
            |_| {
                *made += 1;
                Ok(())
            },
        )
        .unwrap()
    };
    let mut made = 0;
    let first = share(&mut made);
    let process = started(first.folder());
    assert_eq!(share(&mut made).folder(), first.folder());
    assert_eq!(made, 1);
    let mut deeds = 0;
    for _ in 0..2 {
        first
            .once("deed", || {
                deeds += 1;
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(deeds, 1);
    assert!(runs(&process));
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(ends(&process), "the daemon outlives the run");
}

#[test]
fn what_does_not_get_ready_is_ended_and_may_be_tried_again() {
    let owner = Owner::of_this_run().unwrap();
    let name = "place-that-fails";
    let mut process = None;
    let failed = Shared::of(
        owner,
        name,
        |folder| Ok(daemon(folder)),
        |folder| {
            process = Some(started(folder));
            Err(EngineError::Keeper(io::ErrorKind::TimedOut.into()))
        },
    );
    assert!(matches!(failed, Err(EngineError::Keeper(_))));
    assert!(!runs(&process.unwrap()));
    let shared = Shared::of(owner, name, |_| Ok(Vec::new()), |_| Ok(())).unwrap();
    assert!(shared.folder().is_dir());
}

#[test]
fn a_process_name_may_hold_brackets() {
    let process =
        Process::parse("77 (a) b (c)) S 12 77 77 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 1 1").unwrap();
    assert_eq!((process.name.as_str(), process.parent, process.started), ("a) b (c)", 12, 4711));
    assert!(Process::parse("77 no brackets").is_none());
}
