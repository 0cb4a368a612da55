//! The Python environment: a virtual environment is made in the project, from the index that the user's own pip
//! configuration names, and the next run has it. `registries` has the same with bubblewrap.

use coffer_testkit::engine::{Image, Kind};

use super::Place;
use crate::registries::{INDEX_SECRET, INSTALLS, Registry, USES, index};

fn a_virtual_environment_survives(kind: Kind) {
    let Some(place) = Place::new(kind, Image::Debian) else { return };
    let registry = Registry::default();
    index(&place.stage, &registry);
    // The control: what nobody installed is not there.
    assert_ne!(place.inside(&["--auth", "none"], USES).code, Some(0));
    let made = place.inside(&["--auth", "none"], &format!("{INSTALLS} && {USES}"));
    made.prints("wheel and dep\n").keeps_secret(&[INDEX_SECRET]);
    let fetched = registry.asked();
    assert!(
        fetched.iter().any(|one| one.ends_with("/files/made_up_dep-1.0-py3-none-any.whl")),
        "{fetched:?}"
    );
    place.inside(&["--auth", "none", "--network", "none"], USES).prints("wheel and dep\n");
    assert_eq!(registry.asked().len(), fetched.len(), "nothing was fetched again");
    let seen = place.inside(&["--auth", "none"], "cat ~/.config/pip/pip.conf");
    assert!(seen.ends_with(0).text().contains("registry.example.org"), "{seen}");
    seen.keeps_secret(&[INDEX_SECRET, "user:"]);
}

#[test]
fn a_virtual_environment_survives_on_roots_podman() {
    a_virtual_environment_survives(Kind::PodmanOfRoot);
}

#[test]
fn a_virtual_environment_survives_on_a_users_podman() {
    a_virtual_environment_survives(Kind::PodmanOfUser);
}

#[test]
fn a_virtual_environment_survives_on_docker() {
    a_virtual_environment_survives(Kind::Docker);
}
