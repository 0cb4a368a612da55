//! Limits, with groups of the kernel's (cgroups) as this machine has them: what is bounded, what is said about it, and
//! that nothing of them is left. Each with a run without the limit, which succeeds. All that is used up is bounded by
//! itself, too.

// There is no such kernel for other machines.
#[cfg(target_arch = "x86_64")]
mod version_2;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coffer_testkit::require;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;

use crate::support::{Ran, Stage, run, sandboxes};

/// A hundred processes that end with the run, unless one of them cannot be started.
const PROCESSES: &str = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; echo made $i";
/// 190 MB at once, in a process of its own.
const MEMORY: &str = "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c";
/// The same in the agent itself.
const AGENT_OF_MEMORY: [&str; 4] = ["dd", "if=/dev/zero", "of=/dev/null", "bs=190M"];

/// What a plan says about limits.
fn limits(stage: &Stage) -> Value {
    let plan = run(stage.coffer(["plan", "--json", "--auth", "none", "--", "true"]));
    serde_json::from_slice::<Value>(&plan.stdout).unwrap_or_else(|error| panic!("{error}: {plan}"))["limits"]
        .clone()
}

/// Whether runs of whoever runs the tests can be limited here.
fn limited(stage: &Stage) -> bool {
    let means = &limits(stage)["means"]["kind"];
    require::capability("cgroups", *means == "v1" || *means == "v2")
}

fn inside(stage: &Stage, flags: &[&str], script: &str) -> Ran {
    stage.inside(&[&["--auth", "none", "--network", "none"], flags].concat(), script)
}

/// A run that waits, the folders of its groups, and what has to end before these can go.
struct Waiting {
    child: Child,
    groups: Vec<PathBuf>,
}

impl Waiting {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self { child, groups: Vec::new() }
    }

    fn of(stage: &Stage, flags: &[&str]) -> Self {
        let mut command = stage.run(["--auth", "none", "--network", "none"]);
        command.args(flags).args(["--", "sh", "-c", "echo up; read line"]);
        Self { groups: Vec::new(), ..Self::new(command) }.looked(stage)
    }

    fn looked(mut self, stage: &Stage) -> Self {
        let runs = stage.scratch.root().join("run/cofferdam/runs");
        let folder = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
        let note = folder
            .filter(|path| path.is_dir())
            .find_map(|run| std::fs::read_to_string(run.join("groups")).ok());
        self.groups = note.unwrap_or_default().lines().map(PathBuf::from).collect();
        self
    }

    /// Everything in its groups; each is readable at its end.
    fn processes(&self) -> Vec<OwnedFd> {
        let list = std::fs::read_to_string(self.groups[0].join("inside/cgroup.procs")).unwrap();
        let open = |pid: &str| pidfd_open(Pid::from_raw(pid.parse().unwrap())?, PidfdFlags::empty()).ok();
        list.lines().filter_map(open).collect()
    }

    fn end(mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.child.wait().unwrap().success());
        assert!(self.groups.iter().all(|group| !group.exists()), "{:?}", self.groups);
    }
}

fn read(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

#[test]
fn everything_of_a_run_is_in_its_groups_and_they_go_with_it() {
    let stage = Stage::new();
    if !sandboxes() || !limited(&stage) {
        return;
    }
    let waiting = Waiting::of(&stage, &["--memory", "64M", "--pids", "50", "--cpus", "1.5"]);
    assert!(!waiting.groups.is_empty());
    let set = |names: &[&str]| {
        waiting.groups.iter().find_map(|group| names.iter().find_map(|name| read(&group.join(name))))
    };
    assert_eq!(set(&["memory.limit_in_bytes", "memory.max"]).unwrap(), "67108864");
    assert_eq!(set(&["pids.max"]).unwrap(), "50");
    assert!(["150000", "150000 100000"].contains(&set(&["cpu.cfs_quota_us", "cpu.max"]).unwrap().as_str()));
    // Bubblewrap, init, the shell.
    let processes: Vec<String> =
        waiting.groups.iter().map(|group| read(&group.join("inside/cgroup.procs")).unwrap()).collect();
    assert!(processes.iter().all(|list| list.lines().count() == 3 && *list == processes[0]), "{processes:?}");
    // Coffer itself is in none of them.
    assert!(!processes[0].lines().any(|pid| pid == waiting.child.id().to_string()));
    // The outer group, which has the limits, has no process.
    assert!(waiting.groups.iter().all(|group| read(&group.join("cgroup.procs")).unwrap().is_empty()));
    waiting.end();
}

#[test]
fn a_fork_bomb_ends_at_its_limit_which_is_named() {
    let stage = Stage::new();
    if !sandboxes() || !limited(&stage) {
        return;
    }
    let bounded = inside(&stage, &["--pids", "30"], PROCESSES);
    // The shell's own code: it lived to see it.
    assert_eq!((bounded.code, bounded.text()), (Some(2), String::new()), "{bounded}");
    let said = bounded.stderr.clone();
    assert!(said.contains("came up against its limit of 30 processes and threads"), "{said}");
    assert!(said.contains("hint: `--pids 60` allows more"), "{said}");
    let free = inside(&stage, &["--pids", "none"], PROCESSES);
    assert_eq!((free.code, free.text().as_str()), (Some(0), "made 100\n"), "{free}");
    assert!(free.stderr.is_empty(), "{free}");
    let by_default = inside(&stage, &[], PROCESSES);
    assert_eq!(by_default.text(), "made 100\n", "{by_default}");
}

#[test]
fn what_runs_out_of_memory_ends_and_the_limit_is_named() {
    let stage = Stage::new();
    if !sandboxes() || !limited(&stage) {
        return;
    }
    let bounded = inside(&stage, &["--memory", "64M"], MEMORY);
    // One of its processes ended; the agent went on.
    assert_eq!((bounded.code, bounded.text().as_str()), (Some(0), "0\n"), "{bounded}");
    let said = bounded.stderr.clone();
    assert!(
        said.contains("came up against its memory limit of 64M: the kernel ended a process of it"),
        "{said}"
    );
    assert!(said.contains("hint: `--memory 128M` allows more"), "{said}");
    let free = inside(&stage, &["--memory", "none"], MEMORY);
    assert_eq!((free.code, free.text().as_str()), (Some(0), "190000000\n"), "{free}");

    let agent = |limit: &str| {
        let mut command = stage.run(["--auth", "none", "--network", "none", "--memory", limit, "--"]);
        command.args(AGENT_OF_MEMORY).args(["count=1", "status=none"]);
        run(command)
    };
    let killed = agent("64M");
    assert_eq!(killed.code, Some(137), "{killed}");
    assert!(killed.stderr.contains("memory limit of 64M"), "{killed}");
    let lives = agent("none");
    assert_eq!(lives.code, Some(0), "{lives}");
}

#[test]
fn nothing_inside_reaches_the_groups_not_even_where_mounts_may_be_made() {
    let stage = Stage::new();
    if !sandboxes() || !limited(&stage) {
        return;
    }
    let seen =
        inside(&stage, &["--pids", "40"], "ls /sys/fs/cgroup 2>&1; cut -d: -f3 /proc/self/cgroup | sort -u");
    assert!(seen.text().contains("No such file") && seen.text().ends_with("\n/\n"), "{seen}");
    // What can be mounted there begins below the limits.
    let script = format!(
        "mkdir /tmp/m; mount -t cgroup -o pids none /tmp/m 2>/dev/null || mount -t cgroup2 none /tmp/m || exit 9
         echo max > /tmp/m/pids.max 2>/dev/null; {PROCESSES}"
    );
    let nested = |limit: &str| {
        let mut command =
            stage.run(["--auth", "none", "--network", "none", "--allow-nesting", "--pids", limit]);
        command.args(["--", "unshare", "-UrmC", "sh", "-c", &script]);
        run(command)
    };
    let bounded = nested("40");
    assert_eq!((bounded.code, bounded.text()), (Some(2), String::new()), "{bounded}");
    assert_eq!(nested("none").text(), "made 100\n");
}

#[test]
fn a_limit_that_nothing_can_hold_is_refused_with_the_fix_and_a_default_is_said() {
    let Some(stage) = Stage::of_ordinary_user() else { return };
    if !sandboxes() || !require::capability("no-cgroups", limits(&stage)["means"]["kind"] == "none") {
        return;
    }
    for (flag, much) in [("--memory", "1G"), ("--pids", "64"), ("--cpus", "1.5")] {
        let refused = inside(&stage, &[flag, much], "echo ran");
        assert_eq!((refused.code, refused.text()), (Some(125), String::new()), "{refused}");
        let said = refused.stderr.clone();
        assert!(said.contains("error[no-limit]") && said.contains(&format!("`{flag} none`")), "{said}");
    }
    let audit = run(stage.coffer(["plan", "--auth", "none", "--", "true"])).text();
    assert!(
        audit.contains("not limited: pids (4096): ") && audit.contains("not limited: memory ("),
        "{audit}"
    );
    assert_eq!(inside(&stage, &[], "echo ran").text(), "ran\n");
    let doctor = run(stage.coffer(["doctor"])).text();
    assert!(doctor.contains("[limits-missing]"), "{doctor}");
}

/// Groups that root hands over to the ordinary user of the tests, gone at the end.
struct HandedOver(Vec<PathBuf>);

impl HandedOver {
    fn new(user: &str) -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let group = |controller: &str| {
            let own = own.lines().find_map(|line| line.split_once(&format!(":{controller}:/")))?.1;
            let folder = Path::new("/sys/fs/cgroup").join(controller).join(own);
            Some(folder.join(format!("coffer-test-{}", std::process::id())))
        };
        let groups: Option<Vec<PathBuf>> = ["memory", "pids", "cpu"].into_iter().map(group).collect();
        let made = groups
            .as_ref()
            .is_some_and(|groups| groups.iter().all(|group| std::fs::create_dir(group).is_ok()));
        if !require::capability("cgroups-v1", made) {
            return None;
        }
        let groups = groups?;
        for group in &groups {
            assert!(run(Command::new("chown").args(["-R", user]).arg(group)).code == Some(0));
        }
        Some(Self(groups))
    }

    /// The command, started in them.
    fn enter(&self, command: &Command) -> Command {
        let script = "for group in \"$@\"; do shift; [ \"$group\" = -- ] && break; echo 0 > \"$group/cgroup.procs\"; done; exec \"$@\"";
        let mut inside = Command::new("sh");
        inside
            .args(["-c", script, "sh"])
            .args(&self.0)
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        inside.env_clear().current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        for group in &self.0 {
            removed(group);
        }
    }
}

#[test]
fn an_ordinary_user_is_limited_in_groups_that_were_handed_over() {
    let Some(stage) = Stage::of_ordinary_user() else { return };
    let user = std::env::var("COFFER_TEST_USER").unwrap();
    if !sandboxes() {
        return;
    }
    let Some(groups) = HandedOver::new(&user) else { return };
    let go = |flags: &[&str], script: &str| {
        let mut command = stage.run(["--auth", "none", "--network", "none"]);
        command.args(flags).args(["--", "sh", "-c", script]);
        run(groups.enter(&command))
    };
    let bounded = go(&["--pids", "30"], PROCESSES);
    assert_eq!((bounded.code, bounded.text()), (Some(2), String::new()), "{bounded}");
    assert!(bounded.stderr.contains("limit of 30 processes"), "{bounded}");
    assert_eq!(go(&["--pids", "none"], PROCESSES).text(), "made 100\n");
    let memory = go(&["--memory", "64M", "--cpus", "1"], MEMORY);
    assert!(memory.stderr.contains("memory limit of 64M"), "{memory}");
    assert_eq!(go(&["--memory", "none"], MEMORY).text(), "190000000\n");
    // By its own groups the user cannot lift what root has set around them.
    let left: Vec<_> = groups.0.iter().flat_map(|group| std::fs::read_dir(group).unwrap()).collect();
    assert!(left.iter().all(|entry| !entry.as_ref().unwrap().path().is_dir()), "{left:?}");
}

#[test]
fn the_groups_of_a_killed_run_are_swept_by_the_next() {
    let stage = Stage::new();
    if !sandboxes() || !limited(&stage) {
        return;
    }
    let mut killed = Waiting::of(&stage, &["--pids", "50"]);
    let processes = killed.processes();
    kill_process(Pid::from_child(&killed.child), Signal::KILL).unwrap();
    killed.child.wait().unwrap();
    for process in &processes {
        poll(&mut [PollFd::new(process, PollFlags::IN)], None).unwrap();
    }
    assert!(killed.groups.iter().all(|group| group.is_dir()), "nobody was there to remove them");
    // A run that lives keeps its own.
    let other = Stage::new();
    let living = Waiting::of(&other, &["--pids", "50"]);
    assert_eq!(inside(&stage, &[], "echo ran").text(), "ran\n");
    assert!(killed.groups.iter().all(|group| !group.exists()), "{:?}", killed.groups);
    assert!(living.groups.iter().all(|group| group.is_dir()));
    living.end();
}

/// A group with room for so many processes, gone at the end.
struct Narrow(PathBuf);

impl Narrow {
    fn new() -> Option<Self> {
        let folder = PathBuf::from(format!("/sys/fs/cgroup/pids/coffer-narrow-{}", std::process::id()));
        require::capability("cgroups-v1", std::fs::create_dir(&folder).is_ok()).then_some(Self(folder))
    }

    fn run(&self, stage: &Stage, room: u32) -> Ran {
        std::fs::write(self.0.join("pids.max"), room.to_string()).unwrap();
        let command = stage.run(["--auth", "none", "--network", "dev", "--", "echo", "ran"]);
        let enter = HandedOver(vec![self.0.clone()]);
        let ran = run(enter.enter(&command));
        // It is ours to remove.
        std::mem::forget(enter);
        ran
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        removed(&self.0);
    }
}

#[test]
fn a_start_without_room_for_another_process_says_so_with_the_fix() {
    let stage = Stage::new();
    if !sandboxes() {
        return;
    }
    let Some(narrow) = Narrow::new() else { return };
    assert_eq!(narrow.run(&stage, 64).text(), "ran\n");
    let mut refused = 0;
    for room in 1..=12 {
        let ran = narrow.run(&stage, room);
        if ran.text() == "ran\n" {
            continue;
        }
        refused += 1;
        let said = ran.stderr.clone();
        assert_eq!(ran.code, Some(125), "{room}: {ran}");
        assert!(
            said.contains("hint: there are too many processes: ") && said.contains("`ulimit -u`"),
            "{room}: {ran}"
        );
        assert!(!said.contains("panicked"), "{room}: {ran}");
        // Its own limit was not it.
        assert!(!said.contains("4096"), "{room}: {ran}");
    }
    assert!(refused >= 4, "{refused}");
}

#[test]
fn nothing_inside_leaves_a_core_dump() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let script = "grep 'core file' /proc/self/limits; ulimit -c unlimited 2>/dev/null && echo raised; ulimit -Hc; \
                  sh -c 'kill -ABRT $$'; ls";
    let ran = inside(&stage, &[], script);
    let words: Vec<String> =
        ran.text().lines().next().unwrap().split_whitespace().map(str::to_owned).collect();
    assert_eq!(words[4..6], ["1", "1"], "below the smallest dump: {ran}");
    assert!(!ran.text().contains("raised") && !ran.text().contains("core."), "{ran}");
    assert!(ran.text().contains("\n0\n"), "{ran}");
}

/// Removes a group of the test's own; a test that fails already may leave processes in it.
fn removed(group: &std::path::Path) {
    let removed = std::fs::remove_dir(group);
    assert!(removed.is_ok() || std::thread::panicking(), "{}: {removed:?}", group.display());
}
