use super::{AccountFolder, AccountName};

#[test]
fn a_name_cannot_lead_elsewhere() {
    for good in ["host", "dev", "a", "0", "my-team_2"] {
        assert_eq!(good.parse::<AccountName>().unwrap().as_str(), good);
    }
    let long = "a".repeat(33);
    for bad in ["", "-a", "_a", ".", "..", "a/b", "a.b", "A", "ä", "a b", "a\n", "a\0", &long] {
        assert!(bad.parse::<AccountName>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_login_lies_apart_from_the_state_in_a_parent_of_its_own() {
    let folder = AccountFolder::new("/data".into(), &"dev".parse().unwrap());
    assert_eq!(folder.login(), "/data/accounts/dev/login/store");
    assert_eq!(folder.login_parent(), "/data/accounts/dev/login");
    assert!(!folder.state().starts_with(folder.login_parent()));
}
