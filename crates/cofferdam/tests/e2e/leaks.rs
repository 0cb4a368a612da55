//! What of the launcher could leak: variables, sockets of the session, paths in the list of mounts.

use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;

use crate::support::{Stage, run, sandboxes};

/// Variables that lead to the session, and what they could be set to.
const SESSION: &[(&str, &str)] = &[
    ("DISPLAY", ":0"),
    ("WAYLAND_DISPLAY", "wayland-0"),
    ("XAUTHORITY", "/x/.Xauthority"),
    ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x/bus"),
    ("DOCKER_HOST", "unix:///x/docker.sock"),
    ("CONTAINER_HOST", "unix:///x/podman.sock"),
    ("SSH_AUTH_SOCK", "/x/agent"),
    ("GPG_AGENT_INFO", "/x/S.gpg-agent"),
    ("GNUPGHOME", "/x/gnupg"),
    ("TMUX", "/x/tmux,1,0"),
];

#[test]
fn no_variable_leads_to_the_session() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    };
    let environment = |command: &mut std::process::Command| {
        let ran = run(command.envs(SESSION.iter().copied()));
        names(&ran.ends_with(0).text())
    };
    let outside = environment(&mut stage.command("env"));
    let inside = environment(stage.run(["--", "env"]).env("UNHEARD_OF", "x"));
    for (name, _) in SESSION {
        assert!(outside.contains(*name) && !inside.contains(*name), "{name}: {inside:?}");
    }
    // What is there is what the plan says; a shell's own aside.
    let plan = run(&mut stage.coffer(["plan", "--json", "--", "env"])).json();
    let planned: BTreeSet<String> = plan["environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect();
    let more: Vec<&String> = inside.difference(&planned).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn no_socket_of_the_host_is_inside() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let places = [stage.scratch.runtime(), stage.home(), stage.scratch.root().to_owned()];
    let listening: Vec<UnixListener> = places
        .iter()
        .flat_map(|place| ["X0", "bus"].map(|name| UnixListener::bind(place.join(name)).unwrap()))
        .collect();
    assert_eq!(listening.len(), 6);
    let root = stage.scratch.root().display();
    let find = format!("find /run /tmp /var /dev /home /root {root} -type s 2>/dev/null; true");
    let outside = run(stage.command("sh").args(["-c", &find])).text();
    assert!(places.iter().all(|place| outside.contains(&format!("{}/X0", place.display()))), "{outside}");
    stage.inside(&[], &find).prints("");
}

/// The kernel tells of each mount which folder it shows. That says nothing that the plan does not.
#[test]
fn the_list_of_mounts_names_no_path_beyond_the_plans() {
    if !sandboxes() {
        return;
    }
    let stage = Stage::new();
    let granted = stage.scratch.root().join("granted");
    std::fs::create_dir(&granted).unwrap();
    let flags = ["--mount", granted.to_str().unwrap()];
    let plan = run(stage.coffer(["plan", "--json"]).args(flags).args(["--", "true"])).json();
    // A place that is held has none but its own path.
    let sources: Vec<String> = plan["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|mount| mount["source"]["path"].as_str().or(mount["target"].as_str()).map(str::to_owned))
        .collect();
    let listed = stage.inside(&flags, "cat /proc/self/mountinfo").text();
    let name = stage.scratch.root().file_name().unwrap().to_str().unwrap();
    let roots: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').nth(3)).collect();
    let ours: Vec<&&str> = roots.iter().filter(|root| root.contains(name)).collect();
    // The control: what is granted is there.
    assert!(ours.iter().any(|root| root.ends_with("/granted")), "{listed}");
    for root in ours {
        let is_planned =
            sources.iter().any(|source| source.ends_with(*root) || root.ends_with(source.as_str()));
        assert!(is_planned, "{root}: {sources:?}");
    }
    for place in ["/home/.gnupg", "/home/.ssh", "accounts"] {
        assert!(!listed.contains(place), "{place}: {listed}");
    }
}
