use camino::Utf8Path;
use coffer_plan::facts::UserFacts;

use super::given;

#[test]
fn ids_are_the_users_by_name_or_number_and_by_nothing_else() {
    let user = UserFacts { uid: 1001, gid: 1001, name: "ada".to_owned(), home: None, home_writable: false };
    let folder = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(folder.path()).unwrap().join("subuid");
    assert_eq!(given(&file, &user), [], "there is no file");
    let text = "# ada:1:2\nada:100000:65536\nbob:200000:65536\n1001:300000:10\n10010:400000:10\nadam:500000:10\n\
                ada:0:10\nada:4294967290:100\nada:600000:0\nada:700000:-1\nada:700000\nada:700000:1:1\n  ada:800000:5  \n";
    std::fs::write(&file, text).unwrap();
    assert_eq!(given(&file, &user), [100_000..165_536, 300_000..300_010, 800_000..800_005]);
}
