use coffer_plan::facts::LoginFact;
use coffer_plan::sign_in::shape::LoginShape;

use super::host_login as login;
use crate::lookup::tests::agent;
use crate::scratch::{CANARY, Scratch, mode, set, without_privileges};

fn of(scratch: &Scratch) -> LoginFact {
    login(&scratch.facts(), &agent()).unwrap()
}

fn good() -> String {
    format!(
        r#"{{"claudeAiOauth": {{"accessToken": "{CANARY}", "refreshToken": "{CANARY}", "expiresAt": 1234,
        "scopes": ["user:inference"], "subscriptionType": "max"}}}}"#
    )
}

#[test]
fn a_login_is_known_by_its_shape() {
    let scratch = Scratch::new();
    let file = scratch.file("home/.agent/login.json", good());
    mode(&file, 0o640);
    let fact = of(&scratch);
    assert_eq!((fact.folder, fact.file), (scratch.path("home/.agent"), file));
    assert_eq!(fact.found_by, "default");
    assert_eq!(fact.uid_mode, Some((rustix::process::geteuid().as_raw(), 0o640)));
    let LoginShape::Login(details) = fact.shape else {
        panic!("{:?}", fact.shape);
    };
    assert!(details.refresh_token);
    assert_eq!(details.expires_at_ms, Some(1234));
}

#[test]
fn the_variable_that_names_the_folder_is_told() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    let named = |machine: &crate::machine::Machine| login(&machine.base().unwrap(), &agent()).unwrap();
    set(&mut machine, "XDG_AGENT", scratch.path("config"));
    let fact = named(&machine);
    assert_eq!((fact.folder, fact.found_by.as_str()), (scratch.path("config"), "XDG_AGENT"));
    set(&mut machine, "XDG_LOGIN", scratch.path("login"));
    let fact = named(&machine);
    assert_eq!((fact.folder, fact.found_by.as_str()), (scratch.path("login"), "XDG_LOGIN"));
    set(&mut machine, "XDG_LOGIN", "");
    set(&mut machine, "XDG_AGENT", "");
    assert_eq!(named(&machine).found_by, "default");
}

#[test]
fn nobody_can_have_a_login_without_a_folder() {
    let scratch = Scratch::new();
    let mut machine = scratch.machine();
    machine.environment.retain(|(name, _)| name == "PATH");
    assert_eq!(login(&machine.base().unwrap(), &agent()), None);
    let mut other = agent();
    other.login = None;
    assert_eq!(login(&scratch.facts(), &other), None);
}

#[test]
fn a_link_out_of_the_folder_is_told() {
    let scratch = Scratch::new();
    scratch.file("elsewhere/login.json", good());
    scratch.link("home/.agent/login.json", scratch.path("elsewhere/login.json"));
    assert!(of(&scratch).leads_out);
    std::fs::remove_file(scratch.path("home/.agent/login.json")).unwrap();
    // A link inside of it, and a folder that is a link itself, are the user's affair.
    scratch.file("home/.agent/real.json", good());
    scratch.link("home/.agent/login.json", "real.json");
    assert!(!of(&scratch).leads_out);
    std::fs::rename(scratch.path("home/.agent"), scratch.path("moved")).unwrap();
    scratch.link("home/.agent", scratch.path("moved"));
    assert!(!of(&scratch).leads_out);
}

#[test]
fn what_cannot_be_read_has_an_owner() {
    let scratch = Scratch::new();
    mode(&scratch.file("home/.agent/login.json", good()), 0);
    let fact = without_privileges(|| of(&scratch));
    assert!(matches!(fact.shape, LoginShape::Unreadable { .. }));
    assert_eq!(fact.uid_mode, Some((rustix::process::geteuid().as_raw(), 0)));
}

#[test]
fn bad_files_are_told_apart() {
    let scratch = Scratch::new();
    let shape = || of(&scratch).shape;
    assert_eq!(shape(), LoginShape::Missing);
    let unreadable = |text: &str| LoginShape::Unreadable { error: text.to_owned() };
    let file = scratch.fifo("home/.agent/login.json");
    assert_eq!(shape(), unreadable("a named pipe"));
    std::fs::remove_file(&file).unwrap();
    scratch.folder("home/.agent/login.json");
    assert_eq!(shape(), unreadable("a folder"));
    std::fs::remove_dir(&file).unwrap();
    scratch.link("home/.agent/login.json", "login.json");
    assert_eq!(shape(), unreadable("a symbolic link"));
    std::fs::remove_file(&file).unwrap();
    scratch.file("home/.agent/login.json", vec![b' '; 1024 * 1024 + 1]);
    assert!(matches!(shape(), LoginShape::Unusable { reason } if reason == "larger than 1 MiB"));
    for content in ["", "{}", "null", "\u{feff}{}", CANARY] {
        scratch.file("home/.agent/login.json", content);
        assert!(matches!(shape(), LoginShape::Unusable { .. }), "{content:?}");
    }
    mode(&file, 0);
    let closed = without_privileges(shape);
    assert!(matches!(closed, LoginShape::Unreadable { error } if error.contains("denied")));
}
