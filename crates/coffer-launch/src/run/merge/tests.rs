//! What was done in a working copy comes back by three sides; an agent that made both trees leads nobody astray.

use std::cell::OnceCell;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use super::{Began, How, Kept, merge};
use crate::run::beneath::Folder;
use crate::run::copy_tree::{Originals, copy_tree};
use crate::run::ground::{self, Reader};
use crate::run::tests::{Ground, fifo, read};

const SILENT: &dyn Fn(u64) = &|_| ();
const RUN: &str = "0123456789abcdef";

/// How a working copy comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The changes are a layer, as an overlay leaves it.
    Layer,
    /// The changes are in a whole copy.
    Copy,
}

const WAYS: [Way; 2] = [Way::Layer, Way::Copy];

/// A state, and a working copy of it in which somebody works.
struct World {
    ground: Ground,
    way: Way,
    originals: Originals,
    reader: OnceCell<Reader>,
}

impl World {
    /// A state of these files.
    fn new(way: Way, files: &[(&str, &str)]) -> Self {
        let ground = Ground::new();
        for (name, content) in files {
            ground.write(&format!("states/app/{name}"), content);
        }
        for folder in ["states/app", "changes"] {
            std::fs::create_dir_all(ground.path().join(folder)).unwrap();
        }
        let mut world = Self { ground, way, originals: Originals::new(), reader: OnceCell::new() };
        match way {
            Way::Layer => {
                let reader = ground::read(&world.state()).unwrap().unwrap();
                world.reader.set(reader).unwrap();
            }
            Way::Copy => {
                let (from, to) = (Folder::open(&world.state()).unwrap(), world.changes());
                world.originals = copy_tree(from.descriptor(), to.descriptor(), SILENT).unwrap();
            }
        }
        world
    }

    fn state(&self) -> Utf8PathBuf {
        self.ground.path().join("states/app")
    }

    fn changes(&self) -> Folder {
        Folder::open(&self.ground.path().join("changes")).unwrap()
    }

    /// A file of the working copy.
    fn writes(&self, name: &str, content: &str) -> Utf8PathBuf {
        self.ground.write(&format!("changes/{name}"), content)
    }

    /// A file of the working copy goes.
    fn removes(&self, name: &str) {
        let path = self.ground.path().join("changes").join(name);
        match self.way {
            Way::Copy => std::fs::remove_file(path).unwrap(),
            Way::Layer => {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                // Nobody needs a privilege for this one device.
                mknodat(CWD, path.as_std_path(), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
            }
        }
    }

    /// Another run works in the state, and ends.
    fn meanwhile(&self, work: impl FnOnce(&Utf8Path)) {
        let writer = ground::write(&self.state(), SILENT).unwrap();
        work(&self.state());
        drop(writer);
    }

    fn merges(&self, never: &[&str]) -> Kept {
        let merging = ground::merge(&self.state(), self.reader.get(), SILENT).unwrap();
        let began = match self.reader.get() {
            Some(reader) => Began::Folder(reader.folder().as_fd()),
            None => Began::Copy(&self.originals),
        };
        let never: Vec<String> = never.iter().map(|name| (*name).to_owned()).collect();
        merge(&self.changes(), &began, &merging, &How { run: RUN, never: &never }).unwrap()
    }

    fn has(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.state().join(name)).ok()
    }
}

fn paths(names: &[&str]) -> Vec<Utf8PathBuf> {
    names.iter().map(Utf8PathBuf::from).collect()
}

fn sorted(mut paths: Vec<Utf8PathBuf>) -> Vec<Utf8PathBuf> {
    paths.sort();
    paths
}

#[test]
fn what_changed_on_one_side_is_taken_and_on_both_is_kept_side_by_side() {
    for way in WAYS {
        let files = [("same", "1"), ("mine", "1"), ("theirs", "1"), ("both", "1"), ("agreed", "1")];
        let world = World::new(way, &files);
        world.writes("same", "1");
        world.writes("mine", "22");
        world.writes("both", "22");
        world.writes("agreed", "333");
        world.writes("new/deep/file", "new");
        world.meanwhile(|state| {
            for (name, content) in [("theirs", "333"), ("both", "333"), ("agreed", "333")] {
                std::fs::write(state.join(name), content).unwrap();
            }
        });
        let kept = world.merges(&[]);
        assert_eq!((kept.added, kept.changed), (paths(&["new/deep/file"]), paths(&["mine"])), "{way:?}");
        let beside = format!("both.coffer-{RUN}");
        assert_eq!(kept.conflicts, paths(&[&beside]), "{way:?}");
        assert!(kept.removed.is_empty() && kept.stays.is_empty() && kept.skipped.is_empty(), "{way:?}");
        for (name, content) in
            [("same", "1"), ("mine", "22"), ("theirs", "333"), ("both", "333"), (beside.as_str(), "22")]
        {
            assert_eq!(world.has(name).as_deref(), Some(content), "{way:?} {name}");
        }
    }
}

#[test]
fn what_was_removed_goes_where_it_is_as_it_was_and_stays_where_it_changed() {
    for way in WAYS {
        let world = World::new(way, &[("a/gone", "1"), ("changed", "1"), ("a/stays", "1"), ("both", "1")]);
        for name in ["a/gone", "changed", "both"] {
            world.removes(name);
        }
        world.meanwhile(|state| {
            std::fs::write(state.join("changed"), "333").unwrap();
            std::fs::remove_file(state.join("both")).unwrap();
        });
        let kept = world.merges(&[]);
        assert_eq!((kept.removed, kept.stays), (paths(&["a/gone"]), paths(&["changed"])), "{way:?}");
        assert_eq!((world.has("a/gone"), world.has("both")), (None, None), "{way:?}");
        assert_eq!((world.has("changed"), world.has("a/stays")), (Some("333".into()), Some("1".into())));
    }
}

#[test]
fn a_folder_that_was_removed_and_made_anew_brings_none_of_its_old_files_along() {
    for way in WAYS {
        let world = World::new(way, &[("projects/old/one", "1"), ("projects/two", "2"), ("other", "x")]);
        let folder = world.ground.path().join("changes/projects");
        match way {
            Way::Copy => std::fs::remove_dir_all(&folder).unwrap(),
            Way::Layer => {}
        }
        world.writes("projects/new", "new");
        if way == Way::Layer {
            // As the kernel marks a folder that hides the one below it.
            setxattr(folder.as_std_path(), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        }
        world.meanwhile(|state| std::fs::write(state.join("projects/two"), "theirs").unwrap());
        let kept = world.merges(&[]);
        assert_eq!(kept.removed, paths(&["projects/old/one"]), "{way:?}");
        assert_eq!((kept.added, kept.stays), (paths(&["projects/new"]), paths(&["projects/two"])), "{way:?}");
        assert_eq!(world.has("projects/old/one"), None, "{way:?}");
        assert_eq!(world.has("projects/two").as_deref(), Some("theirs"), "{way:?}");
        assert_eq!(world.has("other").as_deref(), Some("x"), "{way:?}");
    }
}

#[test]
fn a_folder_that_was_removed_loses_what_is_as_it_was_and_keeps_what_changed() {
    for way in WAYS {
        let world = World::new(way, &[("projects/old/one", "1"), ("projects/two", "2"), ("other", "x")]);
        match way {
            Way::Copy => std::fs::remove_dir_all(world.ground.path().join("changes/projects")).unwrap(),
            Way::Layer => world.removes("projects"),
        }
        world.meanwhile(|state| std::fs::write(state.join("projects/two"), "theirs").unwrap());
        let kept = world.merges(&[]);
        assert_eq!((kept.removed, kept.stays), (paths(&["projects/old/one"]), paths(&["projects/two"])));
        assert_eq!((world.has("projects/old/one"), world.has("other")), (None, Some("x".into())), "{way:?}");
        assert_eq!(world.has("projects/two").as_deref(), Some("theirs"), "{way:?}");
    }
}

#[test]
fn beside_a_live_writer_nothing_is_replaced_and_nothing_removed() {
    for way in WAYS {
        let world = World::new(way, &[("mine", "1"), ("gone", "1")]);
        world.writes("mine", "22");
        world.writes("new", "new");
        world.removes("gone");
        let writer = ground::write(&world.state(), SILENT).unwrap();
        let kept = world.merges(&[]);
        drop(writer);
        let beside = format!("mine.coffer-{RUN}");
        assert_eq!((kept.added, kept.conflicts), (paths(&["new"]), paths(&[&beside])), "{way:?}");
        assert_eq!((kept.stays, kept.changed), (paths(&["gone"]), paths(&[])), "{way:?}");
        assert_eq!((world.has("mine"), world.has("gone")), (Some("1".into()), Some("1".into())), "{way:?}");
    }
}

#[test]
fn configuration_stays_out_by_name_and_by_pattern_and_the_rest_comes() {
    for way in WAYS {
        let world = World::new(way, &[("settings.json", "good"), ("projects/a", "1")]);
        let bad = ["settings.json", "settings.local.json", ".claude.json.backup", "hooks/evil", "backups/x"];
        for name in bad {
            world.writes(name, "evil");
        }
        // The same names where they mean nothing, and names that only look alike.
        let fine =
            ["projects/settings.json", "projects/hooks/x", "hooks.txt", "settings.json5", "xsettings.json"];
        for name in fine {
            world.writes(name, "fine");
        }
        let kept = world.merges(&["settings*.json", ".claude.json*", "hooks", "backups"]);
        assert_eq!(sorted(kept.added), sorted(paths(&fine)), "{way:?}");
        assert!(kept.changed.is_empty() && kept.conflicts.is_empty(), "{way:?}");
        assert_eq!(world.has("settings.json").as_deref(), Some("good"), "{way:?}");
        for name in &bad[1..] {
            assert_eq!(world.has(name), None, "{way:?} {name}");
        }
        let named: Vec<_> = kept.skipped.iter().map(|(path, _)| path.as_str()).collect();
        assert!(
            named.contains(&"settings.local.json") && named.contains(&".claude.json.backup"),
            "{named:?}"
        );
    }
}

#[test]
fn what_is_no_plain_file_is_left_out_and_listed_with_its_reason() {
    for way in WAYS {
        let world = World::new(way, &[("projects/a", "1")]);
        let secret = world.ground.write("outside/secret", "FAKE-secret");
        world.ground.link("changes/link", &secret);
        world.ground.link("changes/folder", world.ground.path().join("outside"));
        fifo(&world.ground.path().join("changes/pipe"));
        let _socket =
            std::os::unix::net::UnixListener::bind(world.ground.path().join("changes/socket")).unwrap();
        std::fs::hard_link(&secret, world.ground.path().join("changes/twin")).unwrap();
        let hostile = "-rf \n\u{1b}[2J $(id) *";
        world.writes(hostile, "text");
        let mut kept = world.merges(&[]);
        kept.skipped.sort();
        let reasons = [
            ("folder", "a link"),
            ("link", "a link"),
            ("pipe", "a named pipe"),
            ("socket", "a socket"),
            ("twin", "a file with several names"),
        ];
        let reasons: Vec<_> = reasons.iter().map(|(name, why)| (Utf8PathBuf::from(*name), *why)).collect();
        assert_eq!((kept.skipped, kept.added), (reasons, paths(&[hostile])), "{way:?}");
        assert_eq!(world.has(hostile).as_deref(), Some("text"));
        for name in ["link", "folder", "pipe", "socket", "twin"] {
            assert!(world.state().join(name).symlink_metadata().is_err(), "{way:?} {name}");
        }
    }
}

#[test]
fn a_link_in_the_state_leads_nothing_out_of_it() {
    for way in WAYS {
        for is_attack in [true, false] {
            let world = World::new(way, &[("file", "1"), ("gone", "1")]);
            world.writes("projects/new", "mine");
            world.writes("file", "22");
            world.removes("gone");
            let outside = world.ground.write("outside/kept", "outside");
            let folder = outside.parent().unwrap().to_owned();
            world.meanwhile(|state| {
                if !is_attack {
                    std::fs::create_dir(state.join("projects")).unwrap();
                    return;
                }
                std::os::unix::fs::symlink(&folder, state.join("projects")).unwrap();
                for name in ["file", "gone"] {
                    std::fs::remove_file(state.join(name)).unwrap();
                    std::os::unix::fs::symlink(&outside, state.join(name)).unwrap();
                }
            });
            let kept = world.merges(&[]);
            assert_eq!(read(&outside), "outside", "{way:?}");
            assert_eq!(folder.read_dir_utf8().unwrap().count(), 1, "{way:?}");
            if is_attack {
                let other = "the state has something else there";
                let skipped = vec![("file".into(), other), ("projects/new".into(), other)];
                let mut found = kept.skipped;
                found.sort();
                assert_eq!((found, kept.stays), (skipped, paths(&["gone"])), "{way:?}");
            } else {
                assert_eq!(world.has("projects/new").as_deref(), Some("mine"), "{way:?}");
                assert_eq!((kept.changed, kept.removed), (paths(&["file"]), paths(&["gone"])), "{way:?}");
            }
        }
    }
}

#[test]
fn what_comes_back_is_private_runs_if_it_ran_and_has_no_other_bit() {
    for way in WAYS {
        let world = World::new(way, &[]);
        for (name, mode) in [("run", 0o4777), ("plain", 0o666), ("shut", 0o400)] {
            let path = world.writes(name, name);
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        world.merges(&[]);
        let mode = |name: &str| world.state().join(name).metadata().unwrap().mode() & 0o7777;
        assert_eq!((mode("run"), mode("plain"), mode("shut")), (0o700, 0o600, 0o600), "{way:?}");
    }
}

#[test]
fn what_lies_too_deep_is_listed_and_the_rest_still_comes() {
    for way in WAYS {
        let world = World::new(way, &[]);
        let deep: Utf8PathBuf = std::iter::repeat_n("d", super::DEPTH + 5).collect();
        world.writes(deep.join("file").as_str(), "deep");
        world.writes("flat", "flat");
        let kept = world.merges(&[]);
        assert_eq!(kept.added, paths(&["flat"]), "{way:?}");
        assert_eq!((kept.skipped.len(), kept.skipped[0].1), (1, "too deep"), "{way:?}");
    }
}
