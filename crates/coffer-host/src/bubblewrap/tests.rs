use camino::Utf8PathBuf;

use crate::machine::Machine;
use crate::scratch::{Scratch, mode, set, without_privileges};

/// A program that writes down each start and answers with some version.
fn stand_in(scratch: &Scratch, answer: &str) -> Utf8PathBuf {
    let starts = scratch.path("starts");
    scratch.program(
        "bin/bwrap",
        &format!("#!/bin/sh\necho \"$@\" \"${{HOME-none}}\" >> {starts}\necho '{answer}'\n"),
    )
}

fn version(machine: &Machine) -> Option<String> {
    machine.base().unwrap().bubblewrap.unwrap().version
}

fn starts(scratch: &Scratch) -> usize {
    std::fs::read_to_string(scratch.path("starts")).map_or(0, |text| text.lines().count())
}

#[test]
fn it_is_asked_once() {
    let scratch = Scratch::new();
    let program = stand_in(&scratch, "bubblewrap 0.11.0");
    let machine = scratch.machine();
    for _ in 0..3 {
        assert_eq!(version(&machine).as_deref(), Some("0.11.0"));
    }
    assert_eq!(starts(&scratch), 1);
    let told = std::fs::read_to_string(scratch.path("starts")).unwrap();
    assert_eq!(told, "--version none\n", "it gets no environment");
    assert_eq!(machine.base().unwrap().bubblewrap.unwrap().path, program);
    // Another program at the same path is asked anew.
    std::fs::remove_file(&program).unwrap();
    stand_in(&scratch, "bubblewrap 0.12.0-rc1");
    assert_eq!(version(&machine).as_deref(), Some("0.12.0-rc1"));
    assert_eq!(starts(&scratch), 2);
}

#[test]
fn a_link_on_the_path_is_followed() {
    let scratch = Scratch::new();
    let real = scratch.program("opt/bubblewrap", "#!/bin/sh\necho bubblewrap 0.8.0\n");
    scratch.link("bin/bwrap", &real);
    let tool = scratch.facts().bubblewrap.unwrap();
    assert_eq!((tool.path, tool.version.as_deref()), (real, Some("0.8.0")));
}

#[test]
fn a_broken_cache_costs_a_start_and_nothing_else() {
    let scratch = Scratch::new();
    stand_in(&scratch, "bubblewrap 0.8.0");
    let machine = scratch.machine();
    assert!(version(&machine).is_some());
    let cache = scratch.path("home/.cache/cofferdam/bubblewrap.json");
    let good = std::fs::read_to_string(&cache).unwrap();
    let evil = good.replace("0.8.0", "9; rm -rf");
    let large = "x".repeat(10_000);
    for (count, content) in ["", "{}", "nonsense", &good[1..], &evil, &large].iter().enumerate() {
        std::fs::write(&cache, content).unwrap();
        assert_eq!(version(&machine).as_deref(), Some("0.8.0"), "{content:?}");
        assert_eq!(starts(&scratch), count + 2);
        assert_eq!(std::fs::read_to_string(&cache).unwrap(), good);
    }
    std::fs::remove_file(&cache).unwrap();
    std::fs::create_dir(&cache).unwrap();
    assert_eq!(version(&machine).as_deref(), Some("0.8.0"));
    let left: Vec<_> = std::fs::read_dir(scratch.path("home/.cache/cofferdam")).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
}

#[test]
fn a_home_that_cannot_be_written_is_no_error() {
    let scratch = Scratch::new();
    stand_in(&scratch, "bubblewrap 0.8.0");
    std::fs::write(scratch.path("starts"), "").unwrap();
    let home = scratch.path("home");
    mode(&home, 0o555);
    let machine = scratch.machine();
    let told = without_privileges(|| version(&machine));
    mode(&home, 0o755);
    assert_eq!(told.as_deref(), Some("0.8.0"));
    let mut homeless = scratch.machine();
    homeless.environment.retain(|(name, _)| name == "PATH");
    assert_eq!(version(&homeless).as_deref(), Some("0.8.0"));
    let mut elsewhere = scratch.machine();
    set(&mut elsewhere, "XDG_CACHE_HOME", scratch.path("cache"));
    assert_eq!(version(&elsewhere).as_deref(), Some("0.8.0"));
    assert!(scratch.path("cache/cofferdam/bubblewrap.json").exists());
}

#[test]
fn a_strange_answer_is_no_version() {
    for answer in ["", "bubblewrap", "bubblewrap \u{1b}[31m", "other 0.8.0", "bubblewrap 0.8.0 extra"] {
        let scratch = Scratch::new();
        stand_in(&scratch, answer);
        assert_eq!(version(&scratch.machine()), None, "{answer:?}");
    }
    let scratch = Scratch::new();
    scratch.program("bin/bwrap", "#!/bin/sh\nexec yes bubblewrap\n");
    assert_eq!(version(&scratch.machine()), None);
    scratch.program("bin/bwrap", "no program at all");
    assert_eq!(version(&scratch.machine()), None);
}

#[test]
fn what_lies_in_the_project_is_named_and_not_started() {
    let scratch = Scratch::new();
    let starts_file = scratch.path("starts");
    let inside = scratch
        .program("project/bin/bwrap", &format!("#!/bin/sh\necho >> {starts_file}\necho bubblewrap 0.8.0\n"));
    let mut machine = scratch.machine();
    set(&mut machine, "PATH", scratch.path("project/bin"));
    let tool = machine.base().unwrap().bubblewrap.unwrap();
    assert_eq!((tool.path, tool.version), (inside.clone(), None));
    // Nor by a link from outside, nor by one in it that leads outside.
    scratch.link("bin/bwrap", &inside);
    set(&mut machine, "PATH", scratch.path("bin"));
    assert_eq!(version(&machine), None);
    let outside = scratch.program("opt/bwrap", "#!/bin/sh\necho bubblewrap 0.8.0\n");
    std::fs::remove_file(&inside).unwrap();
    scratch.link("project/bin/bwrap", &outside);
    set(&mut machine, "PATH", scratch.path("project/bin"));
    assert_eq!(version(&machine), None);
    assert_eq!(starts(&scratch), 0);
}

#[test]
fn only_executable_files_in_absolute_entries_count() {
    let scratch = Scratch::new();
    scratch.file("first/bwrap", "#!/bin/sh\n");
    scratch.folder("second/bwrap");
    let third = scratch.program("third/bwrap", "#!/bin/sh\n");
    let mut machine = scratch.machine();
    machine.current_folder = scratch.path("third").into();
    set(&mut machine, "PATH", ".::third");
    assert_eq!(machine.base().unwrap().bubblewrap, None);
    machine.current_folder = scratch.path("project").into();
    let path = ["relative", "first", "second", "third"].map(|name| scratch.path(name).into_string());
    set(&mut machine, "PATH", format!(".:{}", path[1..].join(":")));
    assert_eq!(machine.base().unwrap().bubblewrap.unwrap().path, third);
}
