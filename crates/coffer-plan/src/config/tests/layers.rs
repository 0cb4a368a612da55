use crate::config::{AuditMode, ConfigError, Settings, merge};
use crate::fixture::{CONFIG, Machine};
use crate::origin::{Origin, OriginLayer};
use crate::plan::{AuthMode, BackendKind, NetworkTier, StateMode};

#[test]
fn without_a_word_the_defaults_hold() {
    let merged = Machine::ada().merged();
    let default = Origin::built_in("default");
    assert_eq!((merged.agent.value.as_str(), &merged.agent.origin), ("claude", &default));
    assert_eq!((merged.account.value.as_str(), &merged.account.origin), ("host", &default));
    assert_eq!(merged.auth, None);
    assert_eq!((merged.state.value, merged.network.value), (StateMode::Project, NetworkTier::Dev));
    assert_eq!((merged.backend.value, merged.audit.value), (BackendKind::Bwrap, AuditMode::Always));
    assert!(!merged.unattended.value && !merged.trust_folder.value && !merged.as_root_inside.value);
    assert!(merged.proposals.is_empty() && merged.expose.is_empty());
    // The one profile that is there unasked.
    assert!(
        merged.mounts.iter().all(|mount| mount.origin == Origin::new(OriginLayer::Profile, "toolchains"))
    );
}

/// One key said by more and more layers: the later always wins, and says who it was.
#[test]
fn the_later_layer_wins() {
    let user = "state = 'shared'\n";
    let chosen = format!("{user}[project.\"/home/ada/src/app\"]\nstate = 'copy'\n");
    let with_profile = format!("{chosen}[profile.web]\nstate = 'fresh'\n");
    let profile = |machine: Machine| machine.flags(|flags| flags.profiles.push("web".to_owned()));
    let flag = |machine: Machine| machine.flags(|flags| flags.settings.state = Some(StateMode::Project));
    let ada = Machine::ada;
    let user_origin = Origin::new(OriginLayer::UserFile, format!("{CONFIG}: state"));
    let project_origin = Origin::new(OriginLayer::ProjectFile, "/home/ada/src/app/.coffer.toml: state");
    for (machine, value, origin) in [
        (ada().config(user), StateMode::Shared, user_origin),
        (ada().config(user).project("state = 'fresh'", false), StateMode::Fresh, project_origin.clone()),
        (ada().config(user).project("state = 'copy'", true), StateMode::Copy, project_origin),
        (
            ada().config(&chosen).project("state = 'fresh'", true),
            StateMode::Copy,
            Origin::new(OriginLayer::PerProject, "state"),
        ),
        (profile(ada().config(&with_profile)), StateMode::Fresh, Origin::new(OriginLayer::Profile, "web")),
        (flag(profile(ada().config(&with_profile))), StateMode::Project, Origin::flag("--state")),
    ] {
        let state = machine.merged().state;
        assert_eq!((state.value, state.origin), (value, origin));
    }
}

#[test]
fn lists_grow_from_the_weakest_layer_to_the_strongest() {
    let machine = Machine::ada()
        .config(
            "hide = ['a']\nprofiles = ['one']\n[env]\npass = ['A']\nset = { Z = '1', Y = '2' }\n\
             [profile.one]\nhide = ['c']\n[project.\"/home/ada/src/app\"]\nhide = ['b']\n",
        )
        .project("hide = ['p']\nreadonly = ['r']", false)
        .flags(|flags| {
            flags.settings.hide.push(crate::path::PathTemplate("d".to_owned()));
            flags.settings.env.set.insert("X".to_owned(), "3".to_owned());
        });
    let merged = machine.merged();
    let hidden: Vec<_> = merged.hide.iter().map(|path| (path.value.0.as_str(), path.origin.layer)).collect();
    use OriginLayer::{Flag, PerProject, Profile, ProjectFile, UserFile};
    assert_eq!(hidden, [("a", UserFile), ("c", Profile), ("p", ProjectFile), ("b", PerProject), ("d", Flag)]);
    assert_eq!(merged.readonly.len(), 1);
    let set: Vec<_> =
        merged.env_set.iter().map(|set| (set.value.0.as_str(), set.origin.to_string())).collect();
    let file = format!("user file {CONFIG}: env.set");
    assert_eq!(set, [("Y", file.clone()), ("Z", file), ("X", "flag --env".to_owned())]);
    // The user's list of profiles replaces the default one.
    assert!(merged.mounts.is_empty());
}

#[test]
fn choices_for_another_project_mean_nothing_here() {
    let merged = Machine::ada().config("[project.\"/home/ada/src/other\"]\nnetwork = 'none'\n").merged();
    assert_eq!(merged.network.value, NetworkTier::Dev);
}

#[test]
fn an_unknown_profile_is_named_with_the_nearest_and_who_asked() {
    for (machine, name, nearest, asked) in [
        (
            Machine::ada().flags(|flags| flags.profiles.push("toolchain".to_owned())),
            "toolchain",
            Some("toolchains"),
            "flag --profile",
        ),
        (Machine::ada().config("profiles = ['xyz']"), "xyz", None, "user file"),
        (
            Machine::ada().config("[profile.web]\n").project("profiles = ['wib']", true),
            "wib",
            Some("web"),
            "project file",
        ),
        // Data of the system's own is no profile to name.
        (
            Machine::ada().flags(|flags| flags.profiles.push("secrets".to_owned())),
            "secrets",
            None,
            "flag --profile",
        ),
    ] {
        let error = merge(&machine.layers()).unwrap_err();
        let ConfigError::UnknownProfile { name: found, nearest: found_nearest, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((found.as_str(), found_nearest.as_deref()), (name, nearest));
        assert!(error.to_string().contains(asked), "{error}");
        assert!(!error.hint().unwrap().is_empty());
    }
}

#[test]
fn the_users_profile_comes_before_the_built_in_one_of_that_name() {
    let merged = Machine::ada().config("[profile.toolchains]\nhide = ['x']\n").merged();
    assert!(merged.mounts.is_empty());
    assert_eq!(merged.hide.len(), 1);
}

#[test]
fn every_flag_is_called_as_it_is_typed() {
    let machine = Machine::ada().flags(|flags| {
        flags.settings = Settings {
            agent: Some("shell".to_owned()),
            auth: Some(AuthMode::None),
            as_root_inside: Some(true),
            ..Settings::default()
        };
        flags.settings.env.pass.push("X".to_owned());
    });
    let merged = machine.mount(&["/opt"]).merged();
    let mount = merged.mounts.last().unwrap();
    let origins = [
        &merged.agent.origin,
        &merged.auth.as_ref().unwrap().origin,
        &merged.as_root_inside.origin,
        &merged.env_pass.last().unwrap().origin,
        &mount.origin,
    ];
    let names: Vec<&str> = origins.iter().map(|origin| origin.name.as_str()).collect();
    assert_eq!(names, ["--agent", "--auth", "--as-root-inside", "--env", "--mount"]);
}

#[test]
fn a_configured_profile_does_not_undo_what_the_project_tightened() {
    let config = "profiles = ['wide']\n[profile.wide]\nnetwork = 'full'\n";
    let machine = || Machine::ada().config(config).project("network = 'none'", false);
    assert_eq!(machine().merged().network.value, NetworkTier::None);
    let named = machine().flags(|flags| flags.profiles.push("wide".to_owned()));
    assert_eq!(named.merged().network.value, NetworkTier::Full);
}
