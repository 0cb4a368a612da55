use camino::Utf8Path;

use super::leads_to;
use crate::facts::{PathKind, SocketKind};
use crate::fixture::Machine;
use crate::plan::{ForwardSpec, PlanError};

fn forwards(machine: Machine, path: &str) -> Machine {
    machine.flags(|flags| flags.settings.forward.push(ForwardSpec::Socket(path.into())))
}

fn allowed(machine: Machine) -> Machine {
    machine.flags(|flags| flags.settings.allow_container_engine = Some(true))
}

fn engine() -> Machine {
    Machine::ada().has("/run/docker.sock", PathKind::Socket).with(|facts| {
        facts.paths.get_mut(Utf8Path::new("/run/docker.sock")).unwrap().uid = 0;
    })
}

#[test]
fn an_engine_is_known_by_path_by_link_by_number_and_by_who_listens() {
    let by_path = forwards(engine(), "/run/docker.sock");
    let by_link = forwards(engine().has_link("/srv/link", "/run/docker.sock", PathKind::Socket), "/srv/link");
    let by_number = forwards(engine().has("/srv/hard", PathKind::Socket), "/srv/hard").with(|facts| {
        let ino = facts.paths[Utf8Path::new("/run/docker.sock")].ino;
        facts.paths.get_mut(Utf8Path::new("/srv/hard")).unwrap().ino = ino;
    });
    let plain = || forwards(Machine::ada().has("/srv/any", PathKind::Socket), "/srv/any");
    let by_name =
        plain().with(|facts| facts.sockets.named.extend([("/srv/any".into(), SocketKind::ContainerEngine)]));
    let by_listener =
        plain().with(|facts| drop(facts.sockets.listeners.insert("/srv/any".into(), "dockerd".to_owned())));
    // The control: a socket of which nothing is known.
    assert!(plain().codes().is_empty());
    for machine in [by_path, by_link, by_number, by_name, by_listener] {
        assert_eq!(machine.codes(), ["container-engine"]);
        // `expose` is not the word that it takes.
        assert_eq!(machine.clone().config("expose = ['/run', '/srv']").codes(), ["container-engine"]);
        let plan = allowed(machine).plan();
        let note = plan.notes.iter().find(|note| note.text.contains("NO WALL HOLDS")).unwrap();
        assert!(note.origin.to_string().contains("--allow-container-engine"), "{note:?}");
    }
}

#[test]
fn as_whom_an_engine_acts_is_told() {
    let who = |machine: Machine| match machine.refusals().as_slice() {
        [PlanError::ContainerEngine { who, .. }] => *who,
        other => panic!("{other:?}"),
    };
    assert_eq!(who(forwards(engine(), "/run/docker.sock")), "root");
    let own =
        engine().with(|facts| facts.paths.get_mut(Utf8Path::new("/run/docker.sock")).unwrap().uid = 1000);
    assert_eq!(who(forwards(own, "/run/docker.sock")), "you");
}

#[test]
fn a_mount_of_an_engine_is_no_way_around() {
    let mounted = || engine().mount(&["/run/docker.sock:/srv/docker.sock"]);
    assert_eq!(mounted().codes(), ["container-engine"]);
    let plan = allowed(mounted()).plan();
    assert!(plan.mounts.iter().any(|mount| mount.target == "/srv/docker.sock"));
    // A folder around it stays a secret, whatever is allowed.
    let around = allowed(engine().has("/run", PathKind::Folder).mount(&["/run:/srv/run"]));
    assert_eq!(around.codes(), ["secret-path"]);
}

/// The word is a person's; a project cannot even propose it.
#[test]
fn a_project_cannot_ask_for_it() {
    let path = ".coffer.toml";
    let error = crate::config::parse_project(path, "allow_container_engine = true").unwrap_err();
    assert!(error.to_string().contains("cannot be said in a project's file"), "{error}");
}

#[test]
fn buses_and_agents_are_refused_with_another_way() {
    for (kind, words, mend) in [
        (SocketKind::Bus, "starts programs", "expose"),
        (SocketKind::SshAgent, "all of them", "--ssh-agent=KEY"),
        (SocketKind::GpgAgent, "all of them", "--gpg-agent=KEY"),
    ] {
        let machine = forwards(Machine::ada().has("/srv/any", PathKind::Socket), "/srv/any")
            .with(|facts| facts.sockets.named.extend([("/srv/any".into(), kind)]));
        let refusals = machine.refusals();
        let [refused @ PlanError::HostSocket { .. }] = refusals.as_slice() else { panic!("{refusals:?}") };
        assert!(refused.to_string().contains(words) && refused.hint().contains(mend), "{refused}");
        // The word for engines is for engines alone; the user's own file opens what they name.
        assert_eq!(allowed(machine.clone()).codes(), ["host-socket"]);
        assert!(machine.config("expose = ['/srv/any']").codes().is_empty());
    }
}

/// What is no socket leads nowhere, whatever it is called.
#[test]
fn only_sockets_are_judged() {
    let machine = Machine::ada().has("/run/docker.sock", PathKind::File);
    assert_eq!(leads_to("/run/docker.sock".into(), &machine.policy(), &machine.facts), None);
}
