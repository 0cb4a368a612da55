use camino::Utf8PathBuf;
use coffer_plan::sign_in::shape::fingerprint;
use tempfile::TempDir;

use super::{Copies, KEPT, Why};
use crate::layout::AccountFolder;
use crate::seal::{Opener, Seal, SealError};

struct World {
    _keep: TempDir,
    data: Utf8PathBuf,
    seal: Seal,
    copies: Copies,
}

fn world() -> World {
    let keep = tempfile::tempdir().unwrap();
    let data = Utf8PathBuf::from_path_buf(keep.path().join("data")).unwrap();
    let seal = Seal::open_or_make_with(&data, None).unwrap();
    let copies = Copies::of(&AccountFolder::new(&data, &"dev".parse().unwrap()));
    World { _keep: keep, data, seal, copies }
}

fn token(number: usize) -> String {
    format!("sk-ant-ort01-FAKE-{number}")
}

fn login(number: usize) -> Vec<u8> {
    let refresh = token(number);
    format!(r#"{{"claudeAiOauth":{{"accessToken":"sk-ant-oat01-FAKE-{number}","refreshToken":"{refresh}","expiresAt":9,"scopes":["user:inference"]}},"unknown":[1]}}"#)
        .into_bytes()
}

impl World {
    fn add(&self, number: usize, why: Why) -> String {
        self.copies.add(&self.seal, &login(number), why, 1000).unwrap()
    }
}

#[test]
fn a_copy_comes_back_byte_for_byte_and_its_name_tells_no_secret() {
    let world = world();
    let id = world.add(1, Why::Adopted);
    let copy = world.copies.find(&id[..20]).unwrap();
    let opener = Opener::of_with(&world.data, None).unwrap();
    assert_eq!(world.copies.open(&opener, &copy).unwrap().expose(), login(1));
    assert_eq!(copy.fingerprint.as_deref(), Some(fingerprint(&token(1)).as_str()));
    assert_eq!((copy.grew_from, copy.lineage.clone()), (None, copy.fingerprint));
    let file = world.copies.folder().join(format!("{id}.age"));
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(4).any(|window| window == b"FAKE") && !file.as_str().contains("FAKE"));
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let copy = world.copies.find(&id).unwrap();
    assert!(matches!(world.copies.open(&opener, &copy), Err(super::CopiesError::Seal(SealError::Damaged))));
}

#[test]
fn lineages_are_followed_over_refreshes_and_begin_anew_with_a_sign_in() {
    let world = world();
    world.add(1, Why::Adopted);
    world.add(1, Why::BeforeRefresh);
    world.add(2, Why::AfterRefresh);
    world.add(2, Why::BeforeRefresh);
    let third = world.add(3, Why::AfterRefresh);
    let fourth = world.add(4, Why::Adopted);
    let of = |number| Some(fingerprint(&token(number)));
    let third = world.copies.find(&third).unwrap();
    // What is the newest copy already is not sealed again.
    assert_eq!(world.copies.list().unwrap().len(), 4);
    assert_eq!(third.lineage, of(1), "{:#?}", world.copies.list());
    assert_eq!(third.grew_from, of(2));
    assert_eq!(world.copies.successor(&of(1).unwrap()).unwrap(), of(2));
    assert_eq!(world.copies.successor(&of(3).unwrap()).unwrap(), None);
    let fourth = world.copies.find(&fourth).unwrap();
    assert_eq!((fourth.grew_from, fourth.lineage), (None, of(4)));
}

#[test]
fn the_newest_stay_and_one_of_each_lineage() {
    let world = world();
    world.add(1, Why::Adopted);
    world.add(500, Why::Adopted);
    for number in 501..540 {
        world.copies.add(&world.seal, &login(number - 1), Why::BeforeRefresh, 0).unwrap();
        world.add(number, Why::AfterRefresh);
    }
    let left = world.copies.list().unwrap();
    assert_eq!(left.len(), KEPT + 1);
    assert_eq!(left[0].fingerprint, Some(fingerprint(&token(1))));
    assert_eq!(left[KEPT].fingerprint, Some(fingerprint(&token(539))));
    assert_eq!(left[KEPT].lineage, Some(fingerprint(&token(500))));
    assert!(left.is_sorted_by_key(|copy| copy.at_ms));
    assert_eq!(world.copies.prune(0).unwrap().len(), KEPT - 1);
    assert_eq!(world.copies.list().unwrap().len(), 2);
}

#[test]
fn what_is_no_copy_is_left_alone() {
    let world = world();
    let id = world.add(1, Why::Adopted);
    for stray in ["notes.txt", ".x.coffer-1", "1-adopted-0-0-0-zz.age", "x.age"] {
        std::fs::write(world.copies.folder().join(stray), "x").unwrap();
    }
    assert_eq!(world.copies.list().unwrap().len(), 1);
    assert!(world.copies.find("").is_err() && world.copies.find("9").is_err());
    assert_eq!(world.copies.find(&id).unwrap().id, id);
}
