use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::claim::Claim;
use super::super::tests::{Ground, names, read};
use super::{RECORD, hold, release, standing};

/// A run that lives, in a runtime folder of the test's own.
fn run(ground: &Ground) -> Claim {
    Claim::new(&ground.path().join("runs")).unwrap()
}

fn project(ground: &Ground) -> Utf8PathBuf {
    let project = ground.path().join("project");
    std::fs::create_dir_all(&project).unwrap();
    project
}

/// What `kill -9` does: the lock goes, and everything else stays.
fn killed(run: Claim) -> Utf8PathBuf {
    let root = run.root().to_owned();
    drop(run);
    assert!(root.is_dir());
    root
}

#[test]
fn a_place_is_held_and_given_back() {
    let ground = Ground::new();
    let (project, run) = (project(&ground), run(&ground));
    hold(run.root(), [(project.join(".vscode").as_path(), None)]).unwrap();
    hold(run.root(), [(project.join("commondir").as_path(), Some(".\n"))]).unwrap();
    assert_eq!(names(&project), [".vscode", "commondir"]);
    assert_eq!(read(&project.join("commondir")), ".\n");
    release(run.root()).unwrap();
    assert!(names(&project).is_empty());
}

#[test]
fn the_last_run_that_holds_a_place_gives_it_back() {
    let ground = Ground::new();
    let (project, first, second) = (project(&ground), run(&ground), run(&ground));
    let place = project.join(".vscode");
    hold(first.root(), [(place.as_path(), None)]).unwrap();
    hold(second.root(), [(place.as_path(), None)]).unwrap();
    release(first.root()).unwrap();
    first.remove().unwrap();
    assert!(place.is_dir(), "the second run still holds it");
    release(second.root()).unwrap();
    assert!(!place.exists());
}

#[test]
fn what_a_killed_run_held_goes_when_the_next_one_starts() {
    let ground = Ground::new();
    let (project, first) = (project(&ground), run(&ground));
    let place = project.join(".vscode");
    hold(first.root(), [(place.as_path(), None)]).unwrap();
    let root = killed(first);
    let _next = run(&ground);
    assert!(!place.exists() && !root.exists());
}

#[test]
fn a_killed_run_takes_nothing_from_a_live_one() {
    let ground = Ground::new();
    let (project, first, second) = (project(&ground), run(&ground), run(&ground));
    let place = project.join(".vscode");
    for run in [&first, &second] {
        hold(run.root(), [(place.as_path(), None)]).unwrap();
    }
    let root = killed(first);
    let _third = run(&ground);
    assert!(place.is_dir() && !root.exists());
    release(second.root()).unwrap();
    assert!(!place.exists());
}

#[test]
fn what_was_there_or_came_into_it_stays() {
    let ground = Ground::new();
    let (project, run) = (project(&ground), run(&ground));
    let (there, filled, file) = (project.join("there"), project.join("filled"), project.join("file"));
    std::fs::create_dir(&there).unwrap();
    for place in [&there, &filled] {
        hold(run.root(), [(place.as_path(), None)]).unwrap();
    }
    hold(run.root(), [(file.as_path(), Some(".\n"))]).unwrap();
    std::fs::write(filled.join("mine"), "x").unwrap();
    std::fs::write(&file, "mine").unwrap();
    release(run.root()).unwrap();
    assert_eq!(names(&project), ["file", "filled", "there"]);
}

/// Killed between the note and what it is about: there is nothing to take away, and that is no error.
#[test]
fn a_note_without_its_place_is_no_trouble() {
    let ground = Ground::new();
    let (project, run) = (project(&ground), run(&ground));
    let line = format!("{{\"path\":\"{}\",\"text\":null,\"made\":true}}\n{{\"path\":\"/x", project.join("x"));
    std::fs::write(run.root().join(RECORD), line).unwrap();
    release(run.root()).unwrap();
}

#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let ground = Ground::new();
    let (project, run) = (project(&ground), run(&ground));
    let below = project.join("below");
    std::fs::create_dir(&below).unwrap();
    hold(run.root(), [(below.join("held").as_path(), None)]).unwrap();
    let elsewhere = ground.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("held")).unwrap();
    std::fs::rename(&below, project.join("moved")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &below).unwrap();
    release(run.root()).unwrap();
    assert!(elsewhere.join("held").is_dir());
    assert!(hold(run.root(), [(below.join("new").as_path(), None)]).is_ok());
    assert_eq!(names(Utf8Path::new(&elsewhere)), ["held"]);
    assert!(File::open(run.root().join(RECORD)).is_ok());
}

/// What is made anew may be given the old one's number.
#[test]
fn a_place_that_was_made_anew_is_another_one() {
    let ground = Ground::new();
    let (project, run) = (project(&ground), run(&ground));
    let (kept, anew) = (project.join("kept"), project.join("anew"));
    for place in [&kept, &anew] {
        hold(run.root(), [(place.as_path(), None)]).unwrap();
    }
    std::fs::write(kept.join("mine"), "x").unwrap();
    // Times of files move in ticks of the kernel, and no agent runs within the first one.
    let born = anew.metadata().unwrap().created().unwrap();
    let probe = ground.path().join("probe");
    let ticked = || {
        std::fs::create_dir(&probe).unwrap();
        let now = probe.metadata().unwrap().created().unwrap();
        std::fs::remove_dir(&probe).unwrap();
        now > born
    };
    while !ticked() {}
    std::fs::remove_dir(&anew).unwrap();
    std::fs::create_dir(&anew).unwrap();
    let found: Vec<_> = standing(run.root()).iter().map(|place| place.is_unchanged()).collect();
    assert_eq!(found, [true, false]);
}
