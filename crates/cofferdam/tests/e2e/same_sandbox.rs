//! What is printed is what runs: the line of `--dry-run=command`, pasted into a shell, gives the sandbox
//! of `coffer run` with the same flags.

use std::collections::BTreeMap;
use std::process::Command;

use coffer_testkit::{FakeApi, LoginSpec};
use serde_json::Value;

use crate::support::practice::LOGIN;
use crate::support::{Ran, Stage, run, sandboxes};

/// Tells of the sandbox all that can be told: each part after a line `== NAME`.
const PROBE: &str = r#"
echo "== mounts"; cat /proc/self/mountinfo
echo "== environment"; env | sort
echo "== namespaces"; for one in /proc/self/ns/*; do echo "$(basename $one) $(readlink $one)"; done
echo "== status"; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask|SigIgn|SigBlk)' /proc/self/status
echo "== ids"; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
echo "== limits"; cat /proc/self/limits
echo "== descriptors"; ls /proc/$$/fd
echo "== place"; pwd; hostname; id
echo "== files"; cat /etc/passwd /etc/group /etc/hosts /etc/hostname; find / -xdev | sort
echo "== home"; find "$HOME" | sort
echo "== lease"; ls -la --time-style=+ /run/coffer /run/coffer/lease 2>/dev/null; cat /run/coffer/lease/.c* 2>/dev/null
echo "== processes"; for one in /proc/[0-9]*; do tr '\0' ' ' < $one/cmdline; echo; done | grep -v -e sort -e tr | head -1
exit 42"#;

/// The probe's parts, without what must differ: ids of mounts, names of temporary files and of the run.
fn parts(ran: &Ran) -> BTreeMap<String, Vec<String>> {
    let mut parts = BTreeMap::new();
    let text = ran.text();
    for part in text.split("== ").skip(1) {
        let (name, lines) = part.split_once('\n').unwrap();
        let lines: Vec<String> = lines.lines().map(|line| normal(name, line)).collect();
        parts.insert(name.to_owned(), lines);
    }
    assert!(
        parts.len() == 12 && parts.iter().all(|(name, lines)| !lines.is_empty() || name == "lease"),
        "{ran}"
    );
    parts
}

fn normal(part: &str, line: &str) -> String {
    match part {
        "mounts" => {
            let fields: Vec<&str> = line.split(' ').skip(3).collect();
            let root = fields[0].split_once("/bindfile").map_or(fields[0], |_| "/bindfile");
            // The run's own folder has a random name.
            let root = root.split_once("/cofferdam/runs/").map_or(root.to_owned(), |(before, after)| {
                format!("{before}/cofferdam/runs/RUN/{}", after.split_once('/').map_or("", |(_, rest)| rest))
            });
            format!("{root} {}", fields[1..].join(" "))
        }
        "processes" => {
            line.split(' ').filter(|word| word.parse::<u32>().is_err()).collect::<Vec<_>>().join(" ")
        }
        _ => line.to_owned(),
    }
}

/// The namespaces that are not the host's.
fn own_namespaces(parts: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let lines = &parts["namespaces"];
    let is_own = |line: &&String| {
        let (name, end) = line.split_once(' ').unwrap();
        std::fs::read_link(format!("/proc/self/ns/{name}")).unwrap().to_str() != Some(end)
    };
    lines.iter().filter(is_own).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Runs the probe both ways and compares; returns its parts.
fn compare(stage: &Stage, flags: &[&str], equip: impl Fn(&mut Command)) -> BTreeMap<String, Vec<String>> {
    let probe = stage.project_file("probe.sh", PROBE).display().to_string();
    let mut ran = stage.run(flags);
    ran.args(["--", "sh", &probe]);
    equip(&mut ran);
    let ran = run(&mut ran);
    ran.ends_with(42);
    let mut printed = stage.coffer(["run", "--dry-run=command"]);
    printed.args(flags).args(["--", "sh", &probe]);
    equip(&mut printed);
    let line = run(&mut printed);
    line.ends_with(0);
    assert_eq!(line.text().lines().count(), 1, "{line}");
    let mut pasted = stage.command("sh");
    pasted.args(["-c", line.text().trim_end()]);
    equip(&mut pasted);
    let pasted = run(&mut pasted);
    pasted.ends_with(42);
    assert_eq!(pasted.stderr, ran.stderr);
    let (mut first, mut second) = (parts(&ran), parts(&pasted));
    assert_eq!(own_namespaces(&first), own_namespaces(&second));
    let namespaces = own_namespaces(&first);
    first.remove("namespaces");
    second.remove("namespaces");
    for (name, lines) in &first {
        assert_eq!(lines, &second[name], "{name}");
    }
    first.insert("own namespaces".to_owned(), namespaces);
    first
}

#[test]
fn by_default() {
    if !sandboxes() {
        return;
    }
    let parts = compare(&Stage::new(), &[], |_| ());
    let own = parts["own namespaces"].join(" ");
    assert_eq!(own, "cgroup ipc mnt net pid pid_for_children user uts");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let line = parts["status"].iter().find(|line| line.starts_with(set)).unwrap();
        assert!(line.ends_with("\t0000000000000000"), "{line}");
    }
    assert!(parts["status"].contains(&"NoNewPrivs:\t1".to_owned()));
}

#[test]
fn without_a_network() {
    if !sandboxes() {
        return;
    }
    let parts = compare(&Stage::new(), &["--network", "none"], |_| ());
    assert_eq!(parts["own namespaces"].join(" "), "cgroup ipc mnt net pid pid_for_children user uts");
}

#[test]
fn with_mounts_and_words_that_shells_break_on() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let odd = stage.scratch.root().join("it's a \"$HOME\" `folder` & more");
    std::fs::create_dir(&odd).unwrap();
    let (ro, rw) = (format!("{}:/ro dir", odd.display()), format!("{}:/rw:rw", odd.display()));
    let flags =
        ["--mount", &ro, "--mount", &rw, "--env", "ODD=it's $(odd) `word` \\ \"", "--env", "AT=@ref:x"];
    let parts = compare(&stage, &flags, |_| ());
    let env = &parts["environment"];
    assert!(
        env.contains(&"ODD=it's $(odd) `word` \\ \"".to_owned()) && env.contains(&"AT=@ref:x".to_owned())
    );
    assert!(parts["mounts"].iter().any(|line| line.contains("/ro\\040dir ro,")));
}

#[test]
fn as_root_inside_unattended_and_with_a_fresh_state() {
    if !sandboxes() {
        return;
    }
    let flags = ["--as-root-inside", "--unattended", "--state", "fresh", "--workdir", "/tmp"];
    let parts = compare(&Stage::new(), &flags, |_| ());
    assert!(
        parts["environment"].contains(&"IS_SANDBOX=1".to_owned()) || !rustix::process::geteuid().is_root()
    );
    assert_eq!(parts["place"][0], "/tmp");
}

#[test]
fn with_secrets_that_cross_by_reference() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let api = FakeApi::builder().start().unwrap();
    let login = api.issue_login(&LoginSpec::default());
    stage.scratch.write_home(LOGIN, &login.credentials_json()).unwrap();
    stage
        .scratch
        .write_home(".claude/settings.json", r#"{"env":{"ANTHROPIC_AUTH_TOKEN":"CANARY-settings"}}"#)
        .unwrap();
    let equip = |command: &mut Command| {
        command.env("ANTHROPIC_API_KEY", "sk-ant-api03-FAKE-CANARY-key").env("MY_SECRET", "CANARY-mine");
    };
    let canaries = ["CANARY", login.access_token.as_str(), login.refresh_token.as_deref().unwrap()];
    let flags = ["--env", "MY_SECRET"];
    let parts = compare(&stage, &flags, equip);
    let env = parts["environment"].join("\n");
    for line in [
        "ANTHROPIC_API_KEY=sk-ant-api03-FAKE-CANARY-key",
        "MY_SECRET=CANARY-mine",
        "ANTHROPIC_AUTH_TOKEN=CANARY-settings",
    ] {
        assert!(env.contains(line), "{line}: {env}");
    }
    let lease = parts["lease"].join("\n");
    assert!(lease.contains(&login.access_token) && !lease.contains(canaries[2]), "{lease}");
    // No form of the dry run holds any of it, nor does `plan`.
    for form in ["text", "json", "command"] {
        let mut command = stage.coffer(["run", &format!("--dry-run={form}")]);
        equip(command.args(flags).args(["--", "true"]));
        run(&mut command).ends_with(0).keeps_secret(&canaries);
    }
    for words in [
        &["plan"][..],
        &["plan", "--json"],
        &["plan", "--diff"],
        &["why", "env", "MY_SECRET"],
        &["why", "env", "ANTHROPIC_API_KEY", "--json"],
    ] {
        let mut command = stage.coffer(words);
        equip(command.args(flags).args(["--", "true"]));
        run(&mut command).ends_with(0).keeps_secret(&canaries);
    }
    // Nor what Cofferdam keeps of a run.
    for canary in canaries {
        let found = crate::support::tree::files_with(&stage.data(), canary);
        assert!(found.is_empty(), "{canary}: {found:?}");
    }
}

#[test]
fn the_json_form_is_as_its_schema_says() {
    let stage = Stage::new();
    let schema = coffer_plan::show::json::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shown = stage.scratch.root().join("shown");
    std::fs::create_dir(&shown).unwrap();
    let mount = format!("{}:/shown:rw", shown.display());
    stage.project_file(".coffer.toml", "network = \"none\"\n[[mount]]\nsource = \"/opt\"\n");
    for flags in [
        &[][..],
        &["--network", "none", "--auth", "none", "--state", "fresh"],
        &["--mount", &mount, "--env", "A=b", "--env", "LANG", "--unattended"],
        &["--agent", "shell", "--as-root-inside", "--state", "shared"],
    ] {
        let mut command = stage.coffer(["run", "--dry-run=json"]);
        let plan = run(command.args(flags).args(["--", "true"])).json();
        let wrong: Vec<String> = validator.iter_errors(&plan).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{flags:?}: {wrong:?}");
        assert_eq!(plan["schema"], 1);
        let fields: Vec<&str> = plan.as_object().unwrap().keys().map(String::as_str).collect();
        for field in [
            "command",
            "identity",
            "environment",
            "mounts",
            "network",
            "credential",
            "state",
            "limits",
            "hardening",
            "sign_in",
        ] {
            assert!(fields.contains(&field), "{field}: {fields:?}");
        }
        // `plan --json` is the same document.
        let mut same = stage.coffer(["plan", "--json"]);
        assert_eq!(run(same.args(flags).args(["--", "true"])).json(), plan);
    }
    // The schema refuses what is none.
    let broken: Value = serde_json::json!({"schema": 1, "mounts": [{"op": "teleport"}]});
    assert!(!validator.is_valid(&broken));
}
