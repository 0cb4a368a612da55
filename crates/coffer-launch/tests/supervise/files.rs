//! Standard descriptors that are files, folders or devices.

use crate::Test;
use crate::harness::{Reader, Running, User, host, host_word, script};
use crate::host::{Options, UNFIT, bubblewrap};
use rustix::fs::{Mode, OFlags, openat};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) const TESTS: &[Test] = &[
    ("files::a_folder_is_no_door_out", a_folder_is_no_door_out),
    ("files::an_input_file_cannot_be_rewritten", an_input_file_cannot_be_rewritten),
    ("files::an_output_file_cannot_be_read_or_cut", an_output_file_cannot_be_read_or_cut),
    ("files::what_leads_elsewhere_is_refused", what_leads_elsewhere_is_refused),
    ("files::null_is_the_sandboxs_own", null_is_the_sandboxs_own),
    ("files::endless_and_full_devices_are_relayed", endless_and_full_devices_are_relayed),
    ("files::five_megabytes_pass_unchanged_both_ways", five_megabytes_pass_unchanged_both_ways),
    ("files::what_the_agent_left_is_there_for_the_next", what_the_agent_left_is_there_for_the_next),
    ("files::what_an_agent_puts_into_its_input_moves_no_offset_before_the_start", puts_into_its_input),
    ("files::an_agent_that_closes_its_input_goes_on", an_agent_that_closes_its_input_goes_on),
    ("files::one_file_for_both_keeps_the_order", one_file_for_both_keeps_the_order),
    ("files::what_was_there_stays_and_appends_go_to_the_end", what_was_there_stays),
    ("files::a_writer_outside_does_not_hold_the_run", a_writer_outside_does_not_hold_the_run),
    ("files::output_that_cannot_be_written_is_told", output_that_cannot_be_written_is_told),
    ("files::a_terminal_beside_files_still_works", a_terminal_beside_files_still_works),
];

/// A folder that the sandbox sees, if at all, read-only.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new_in("/var/tmp").unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> File {
        std::fs::write(self.at(name), content).unwrap();
        File::open(self.at(name)).unwrap()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap()
    }
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

fn told(out: &str, code: i32) -> (String, String, Option<i32>) {
    (out.to_owned(), String::new(), Some(code))
}

/// The same agent without supervision: its descriptors are ours.
fn unguarded(text: &str) -> Command {
    bubblewrap(&Options::default(), None, ["sh", "-c", text])
}

fn a_folder_is_no_door_out() {
    let folder = Folder::new();
    folder.file("key", "SECRET\n");
    let open = || Stdio::from(File::open(folder.0.path()).unwrap());
    // The sandbox has a /var/tmp of its own, so that the path itself leads nowhere.
    let hide = ["--bwrap", "--tmpfs", "--bwrap", "/var/tmp"];
    let options = Options { backend: ["--tmpfs", "/var/tmp"].map(Into::into).into(), ..Options::default() };
    let stolen = output(bubblewrap(&options, None, ["cat", "/proc/self/fd/0/key"]).stdin(open()));
    assert_eq!(said(&stolen), told("SECRET\n", 0), "without the guard the secret is read");
    for number in 0..3 {
        let mut command = host(&[&hide[..], &["cat", "/proc/self/fd/0/key"]].concat());
        let text = format!("descriptor {number} is a folder, and would open all of it to the sandbox");
        refuses(&mut command, number, open(), &text);
    }
}

/// The command refuses that descriptor before it starts anything.
fn refuses(command: &mut Command, number: u8, descriptor: Stdio, text: &str) {
    let folder = Folder::new();
    command.env("BACKEND_PID_FILE", folder.at("started"));
    command.stdin(Stdio::null());
    match number {
        0 => command.stdin(descriptor),
        1 => command.stdout(descriptor),
        _ => command.stderr(descriptor),
    };
    let output = output(command);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(i32::from(UNFIT)), 0));
    // Nobody can be told on a descriptor that is no good.
    if number != 2 {
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("host: {text}\n"));
    }
    assert!(!folder.at("started").exists());
}

fn an_input_file_cannot_be_rewritten() {
    let folder = Folder::new();
    let rewrite = "cat; echo EVIL > /proc/self/fd/0; :";
    let prompt = folder.file("prompt", "be good\n");
    assert_eq!(said(&output(unguarded(rewrite).stdin(prompt))).0, "be good\n");
    assert_eq!(folder.read("prompt"), b"EVIL\n", "without the guard the prompt is rewritten");
    let prompt = folder.file("prompt", "be good\n");
    assert_eq!(said(&output(script(rewrite).stdin(prompt))).0, "be good\n");
    assert_eq!(folder.read("prompt"), b"be good\n");
    let tell = "chmod 777 /proc/self/fd/0; readlink /proc/self/fd/0 | cut -c -5";
    assert_eq!(said(&output(script(tell).stdin(folder.file("prompt", "be good\n")))), told("pipe:\n", 0));
}

fn an_output_file_cannot_be_read_or_cut() {
    let folder = Folder::new();
    let log = || {
        std::fs::write(folder.at("log"), "HISTORY\n").unwrap();
        OpenOptions::new().append(true).open(folder.at("log")).unwrap()
    };
    let run = |mut command: Command| command.stdin(Stdio::null()).stdout(log()).output().unwrap();
    let cut = ": > /proc/self/fd/1; echo mine";
    assert!(run(unguarded(cut)).status.success());
    assert_eq!(folder.read("log"), b"mine\n", "without the guard what was there is cut off");
    assert!(run(script(cut)).status.success());
    assert_eq!(folder.read("log"), b"HISTORY\nmine\n");
    let seen = |output: Output| String::from_utf8(output.stderr).unwrap();
    let read = "exec 3< /proc/self/fd/1; cat <&3 >&2";
    assert_eq!(seen(run(unguarded(read))), "HISTORY\n", "without the guard it is read");
    // A reader would wait for what comes through the pipe.
    let look = "exec 3< /proc/self/fd/1; readlink /proc/self/fd/3 | cut -c -5 >&2";
    assert_eq!(seen(run(script(look))), "pipe:\n");
}

fn what_leads_elsewhere_is_refused() {
    let folder = Folder::new();
    let file = folder.file("f", "x");
    let path = |flags| {
        let opened = openat(rustix::fs::CWD, folder.at("f"), OFlags::PATH | flags, Mode::empty()).unwrap();
        Stdio::from(opened)
    };
    refuses(&mut script("true"), 0, path(OFlags::empty()), "descriptor 0 is open as a path only");
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    let text = "descriptor 0 is no file, pipe, socket or terminal";
    refuses(&mut script("true"), 0, event.into(), text);
    let text = "descriptor 1 is not open in the direction in which it is used";
    refuses(&mut script("true"), 1, file.into(), text);
    let writable = OpenOptions::new().write(true).open(folder.at("f")).unwrap();
    refuses(&mut script("true"), 0, writable.into(), &text.replace('1', "0"));
    if let Ok(device) = File::open("/dev/fuse") {
        let text = "descriptor 0 is a device that the sandbox must not have";
        refuses(&mut script("true"), 0, device.into(), text);
    }
    let block = std::fs::read_dir("/dev").unwrap().flatten().find(|entry| {
        use std::os::unix::fs::FileTypeExt;
        entry.file_type().is_ok_and(|kind| kind.is_block_device())
    });
    if let Some(Ok(device)) = block.map(|entry| File::open(entry.path())) {
        let text = "descriptor 0 is a block device, and would open all of it to the sandbox";
        refuses(&mut script("true"), 0, device.into(), text);
    }
}

fn null_is_the_sandboxs_own() {
    // Which one it is shows by the mount that it was opened on.
    let text = "grep mnt_id /proc/self/fdinfo/0; exec 5<>/dev/null; grep mnt_id /proc/self/fdinfo/5";
    let ids = |command: &mut Command| {
        let (out, err, code) = said(&output(command.stdin(Stdio::null())));
        assert_eq!((err.as_str(), code), ("", Some(0)));
        let ids: Vec<String> = out.lines().map(str::to_owned).collect();
        <[String; 2]>::try_from(ids).unwrap()
    };
    let [own, inside] = ids(&mut unguarded(text));
    assert_ne!(own, inside, "without the guard the host's is handed in");
    let [own, inside] = ids(&mut script(text));
    assert_eq!(own, inside);
}

fn endless_and_full_devices_are_relayed() {
    let zero = || File::open("/dev/zero").unwrap();
    let count =
        output(script("head -c 300000 | tr -d '\\0' | wc -c; readlink /proc/self/fd/0").stdin(zero()));
    let (out, _, code) = said(&count);
    assert!(out.starts_with("0\npipe:") && code == Some(0), "{out}");
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = script("echo lost").stdin(Stdio::null()).stdout(full).output().unwrap();
    let text = "host: cannot write to descriptor 1 what the agent wrote\n";
    assert_eq!(said(&output), (String::new(), text.to_owned(), Some(201)));
}

fn five_megabytes_pass_unchanged_both_ways() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let input = folder.file("in", &bytes);
    let out = File::create(folder.at("out")).unwrap();
    assert!(host(&["cat"]).stdin(input).stdout(out).status().unwrap().success());
    let came = folder.read("out");
    assert!(came == bytes, "{} bytes of {} came", came.len(), bytes.len());
    // A slow reader and an end of file that comes while it waits.
    let input = folder.file("in", &bytes);
    let text = "while head -c 700000 | grep -q .; do :; done; echo all";
    assert_eq!(said(&output(script(text).stdin(input))), told("all\n", 0));
}

fn what_the_agent_left_is_there_for_the_next() {
    let folder = Folder::new();
    let lines: String = (1..=100_000).map(|number| format!("line {number}\n")).collect();
    let next = |agent: &str, input: &mut File| {
        let status = script(agent).stdin(input.try_clone().unwrap()).stdout(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(0), "{agent}");
        usize::try_from(input.stream_position().unwrap()).unwrap()
    };
    let mut input = folder.file("lines", &lines);
    assert_eq!(next("true", &mut input), 0);
    // The shell reads byte by byte up to the line's end.
    assert_eq!(next("read line; test \"$line\" = 'line 1'", &mut input), "line 1\n".len());
    assert_eq!(next("read line; test \"$line\" = 'line 2'", &mut input), "line 1\nline 2\n".len());
    input.seek(SeekFrom::Start(0)).unwrap();
    // More than the pipe and the buffer hold.
    assert_eq!(next("dd bs=1000 count=300 iflag=fullblock 2> /dev/null", &mut input), 300_000);
    assert_eq!(next("cat", &mut input), lines.len());
    // A loop as scripts have it.
    let text = format!("while read line; do echo \"got $line\"; {} true; done", host_word());
    let three = folder.file("three", "1\n2\n3\n");
    let looped = output(Command::new("sh").args(["-c", &text]).stdin(three));
    assert_eq!(said(&looped), told("got 1\ngot 2\ngot 3\n", 0));
    // A program that cannot even be started takes nothing.
    input.seek(SeekFrom::Start(7)).unwrap();
    let status = host(&["no-such-program"]).stdin(input.try_clone().unwrap()).status().unwrap();
    assert_eq!((status.code(), input.stream_position().unwrap()), (Some(127), 7));
}

fn puts_into_its_input() {
    let folder = Folder::new();
    let mut input = folder.file("in", "0123456789");
    input.seek(SeekFrom::Start(4)).unwrap();
    let text = "cat > /tmp/all & wait; echo XXXXXXXXXXXXXXXXXXXXXXXXXXX > /proc/self/fd/0";
    let status = script(text).stdin(input.try_clone().unwrap()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!((4..=10).contains(&input.stream_position().unwrap()));
    assert_eq!(folder.read("in"), b"0123456789");
}

fn an_agent_that_closes_its_input_goes_on() {
    let folder = Folder::new();
    let mut input = folder.file("in", vec![b'x'; 1_000_000]);
    let text = "exec 0<&-; echo closed; read x < /dev/null; echo done";
    assert_eq!(said(&output(script(text).stdin(input.try_clone().unwrap()))), told("closed\ndone\n", 0));
    assert_eq!(input.stream_position().unwrap(), 0);
    input.seek(SeekFrom::Start(0)).unwrap();
    assert_eq!(said(&output(script("head -c 1; exit 3").stdin(input))), told("x", 3));
}

fn one_file_for_both_keeps_the_order() {
    let folder = Folder::new();
    let agent = "for n in $(seq 500); do echo out $n; echo err $n >&2; done";
    let expected: String = (1..=500).map(|n| format!("out {n}\nerr {n}\n")).collect();
    for redirection in ["> f 2>&1", ">> f 2>> f", "2> f >&2"] {
        let _ = std::fs::remove_file(folder.at("f"));
        let text = format!("{} sh -c '{agent}' {redirection}", host_word());
        let status =
            Command::new("sh").args(["-c", &text]).current_dir(folder.0.path()).stdin(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(0));
        assert_eq!(String::from_utf8(folder.read("f")).unwrap(), expected, "{redirection}");
    }
    // Two files stay two.
    let text = format!("{} sh -c 'echo out; echo err >&2' > o 2> e", host_word());
    let status =
        Command::new("sh").args(["-c", &text]).current_dir(folder.0.path()).stdin(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!((folder.read("o"), folder.read("e")), (b"out\n".to_vec(), b"err\n".to_vec()));
}

fn what_was_there_stays() {
    let folder = Folder::new();
    drop(folder.file("log", "before\n"));
    let mut log = OpenOptions::new().append(true).open(folder.at("log")).unwrap();
    let mut command = script("echo inside");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap());
    assert!(command.status().unwrap().success());
    log.write_all(b"after\n").unwrap();
    assert_eq!(folder.read("log"), b"before\ninside\nafter\n");
    // Without the flag our offset is the agent's, and the agent's is ours.
    drop(folder.file("log", "0123456789"));
    let mut log = OpenOptions::new().read(true).write(true).open(folder.at("log")).unwrap();
    log.seek(SeekFrom::Start(3)).unwrap();
    let mut command = host(&["printf", "ab"]);
    assert!(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).status().unwrap().success());
    log.write_all(b"c").unwrap();
    assert_eq!(folder.read("log"), b"012abc6789");
}

fn a_writer_outside_does_not_hold_the_run() {
    // A process outside opens the agent's pipe, and keeps it open until its own input ends.
    let folder = Folder::new();
    let out = File::create(folder.at("out")).unwrap();
    let text = "echo $$; echo ready >&2; read x; echo end";
    let mut child =
        script(text).stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped()).spawn().map(Running).unwrap();
    Reader::new(child.stderr.take().unwrap()).expect("ready\n");
    let agent = agent_of(child.id());
    let pipe = OpenOptions::new().write(true).open(format!("/proc/{agent}/fd/1")).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.read("out").ends_with(b"end\n"));
    drop(pipe);
}

/// The shell inside: the last of the host's only descendants.
fn agent_of(host: u32) -> u32 {
    let mut process = host;
    while let Ok(mut children) = File::open(format!("/proc/{process}/task/{process}/children")) {
        let mut text = String::new();
        children.read_to_string(&mut text).unwrap();
        match text.split_whitespace().next() {
            Some(child) => process = child.parse().unwrap(),
            None => break,
        }
    }
    process
}

fn output_that_cannot_be_written_is_told() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    // The agent learns of it by its next write, and its own code does not count as a success.
    let output = script("yes; echo $? >&2; exit 0").stdin(Stdio::null()).stdout(full()).output().unwrap();
    let (_, told, code) = said(&output);
    assert_eq!(code, Some(201), "{told}");
    assert!(told.contains("cannot write to descriptor 1"), "{told}");
}

fn a_terminal_beside_files_still_works() {
    let folder = Folder::new();
    let input = folder.file("in", "from the file\n");
    let mut command = script("cat; tty < /dev/tty; read key < /dev/tty; echo \"key $key\"");
    command.stdin(input);
    let mut user = User::start(command, &[0]);
    user.sees("from the file");
    user.sees("/dev/");
    user.types("k\r");
    user.sees("key k");
    assert!(user.waits().success());
    let mut command = script("echo shown >&2; read key; echo \"key $key\"");
    command.stdout(File::create(folder.at("out")).unwrap());
    let mut user = User::start(command, &[1]);
    user.sees("shown");
    user.types("k\r");
    assert!(user.waits().success());
    assert_eq!(folder.read("out"), b"key k\n");
}
