use serde::Deserialize;

use crate::config::file::{ENV_KEYS, KEYS, MOUNT_KEYS};
use crate::config::limits::LIMIT_KEYS;
use crate::config::{
    AuditMode, ConfigError, EnvSettings, KeyChoice, LimitSettings, MountSpec, Settings, parse_project,
    parse_user,
};
use crate::path::PathTemplate;
use crate::plan::{
    Access, AuthMode, BackendKind, Bound, Count, Cpus, ForwardSpec, NetworkTier, Size, StateMode,
};

const PATH: &str = "/home/ada/.config/cofferdam/config.toml";

/// Every key there is, each with a value.
const EVERYTHING: &str = r#"
agent = "claude"
account = "host"
auth = "lease"
state = "fresh"
network = "none"
backend = "bwrap"
image = "localhost/x"
audit = "changed"
profiles = ["toolchains"]
unattended = true
trust_folder = true
as_root_inside = false
allow_host_login = true
allow_nesting = true
ssh_agent = true
gpg_agent = ["ada@example.org"]
gpg_agent_decrypt = false
confirm_keys = true
allow_container_engine = true
scopes = ["user:profile"]
path = ["~/bin"]
hide = ["a"]
readonly = ["b"]
expose = ["~/.kube"]
allow = ["Example.ORG.", "*.example.org:8443"]
forward = ["8123"]
publish = ["8080:3000"]
protect = ["ci/deploy.sh"]
allow_write = [".vscode"]
accept_config = true
[[mount]]
source = "~/data"
target = "/data"
access = "rw"
optional = true
[limits]
memory = "8G"
pids = 512
cpus = 1.5
[env]
pass = ["X"]
set = { Y = "z" }
"#;

#[test]
fn the_ways_to_hosts_are_read_from_the_users_file_alone() {
    let text = "[upstream]\nca_file = '~/ca.pem'\n[upstream.hosts]\n'API.example.org' = '127.0.0.1:8443'";
    let upstream = parse_user(PATH, text).unwrap().upstream;
    assert_eq!(upstream.ca_file, Some(PathTemplate("~/ca.pem".to_owned())));
    let hosts: Vec<String> =
        upstream.hosts.iter().map(|(host, address)| format!("{host} {address}")).collect();
    assert_eq!(hosts, ["api.example.org 127.0.0.1:8443"]);
    assert!(parse_project(PATH, text).is_err());
    for wrong in [
        "upstream = 1",
        "[upstream]\nca = 'x'",
        "[upstream.hosts]\n'a b' = '127.0.0.1:1'",
        "[upstream.hosts]\na = 'b'",
    ] {
        assert!(parse_user(PATH, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_key_is_read() {
    // Naming every field: a new one breaks this test, and shall get a line above and in `KEYS`.
    let Settings {
        agent,
        account,
        auth,
        state,
        network,
        backend,
        image,
        audit,
        profiles,
        unattended,
        trust_folder,
        as_root_inside,
        allow_host_login,
        allow_nesting,
        ssh_agent,
        gpg_agent,
        gpg_agent_decrypt,
        confirm_keys,
        allow_container_engine,
        scopes,
        mounts,
        path,
        env: EnvSettings { pass, set },
        hide,
        readonly,
        expose,
        protect,
        allow_write,
        accept_config,
        allow,
        forward,
        publish,
        limits: LimitSettings { memory, pids, cpus },
    } = parse_user(PATH, EVERYTHING).unwrap().settings;
    assert_eq!((agent.as_deref(), account.as_deref()), (Some("claude"), Some("host")));
    assert_eq!((auth, state), (Some(AuthMode::Lease), Some(StateMode::Fresh)));
    assert_eq!((network, backend), (Some(NetworkTier::None), Some(BackendKind::Bwrap)));
    assert_eq!((image.as_deref(), audit), (Some("localhost/x"), Some(AuditMode::Changed)));
    assert_eq!(profiles, Some(vec!["toolchains".to_owned()]));
    assert_eq!((unattended, trust_folder, as_root_inside), (Some(true), Some(true), Some(false)));
    assert_eq!((allow_host_login, scopes), (Some(true), vec!["user:profile".to_owned()]));
    assert_eq!(allow_nesting, Some(true));
    assert_eq!(ssh_agent, Some(KeyChoice::All));
    assert_eq!(gpg_agent, Some(KeyChoice::Only(vec!["ada@example.org".to_owned()])));
    assert_eq!(
        (gpg_agent_decrypt, confirm_keys, allow_container_engine),
        (Some(false), Some(true), Some(true))
    );
    let template = |text: &str| PathTemplate(text.to_owned());
    let mount = MountSpec {
        source: template("~/data"),
        target: Some(template("/data")),
        access: Access::Rw,
        optional: true,
    };
    assert_eq!(mounts, [mount]);
    assert_eq!((path, hide), (vec![template("~/bin")], vec![template("a")]));
    assert_eq!((readonly, expose), (vec![template("b")], vec![template("~/.kube")]));
    let allowed: Vec<String> = allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["example.org", "*.example.org:8443"]);
    assert_eq!((memory, pids), (Some(Bound::Of(Size(8 << 30))), Some(Bound::Of(Count(512)))));
    assert_eq!(cpus, Some(Bound::Of(Cpus(1500))));
    assert_eq!((forward, publish), (vec![ForwardSpec::Port(8123)], vec!["8080:3000".parse().unwrap()]));
    assert_eq!((protect, allow_write), (vec!["ci/deploy.sh".to_owned()], vec![template(".vscode")]));
    assert_eq!(accept_config, Some(true));
    assert_eq!((pass, set["Y"].as_str()), (vec!["X".to_owned()], "z"));
}

/// The lists of keys are what serde reads: each alone is taken, and the table above has no other.
#[test]
fn the_lists_of_keys_are_complete() {
    let everything: toml::Table = EVERYTHING.parse().unwrap();
    let mut keys: Vec<&str> = everything.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, KEYS);
    let mut env: Vec<&str> = everything["env"].as_table().unwrap().keys().map(String::as_str).collect();
    env.sort_unstable();
    assert_eq!(env, ENV_KEYS);
    let mut limits: Vec<&str> = everything["limits"].as_table().unwrap().keys().map(String::as_str).collect();
    limits.sort_unstable();
    assert_eq!(limits, LIMIT_KEYS);
    let mount = everything["mount"].as_array().unwrap()[0].as_table().unwrap();
    let mut mount: Vec<&str> = mount.keys().map(String::as_str).collect();
    mount.sort_unstable();
    assert_eq!(mount, MOUNT_KEYS);
    // serde itself refuses what is on no list.
    assert!(Settings::deserialize("x = 1".parse::<toml::Table>().unwrap()).is_err());
}

#[test]
fn an_unknown_key_is_named_with_the_nearest() {
    for (text, key, nearest) in [
        ("netwrok = 'none'", "netwrok", Some("network")),
        ("mounts = []", "mounts", Some("mount")),
        ("read_only = ['x']", "read_only", Some("readonly")),
        ("as-root-inside = true", "as-root-inside", Some("as_root_inside")),
        ("profil = {}", "profil", Some("profile")),
        ("something_else = 1", "something_else", None),
        ("[env]\npas = ['X']", "env.pas", Some("pass")),
        ("[env]\nFOO = 'x'", "env.FOO", None),
        ("[[mount]]\nsource = 'x'\nacces = 'rw'", "mount.acces", Some("access")),
        ("[[mount]]\nsource = 'x'\n[[mount]]\nsource = 'y'\nread_only = true", "mount.read_only", None),
        ("[profile.web]\nhid = ['x']", "profile.web.hid", Some("hide")),
        ("[profile.web.env]\nsets = {}", "profile.web.env.sets", Some("set")),
        ("[[profile.web.mount]]\nsrc = 'x'", "profile.web.mount.src", None),
        ("[profile.web]\nprofiles = ['x']", "profile.web.profiles", None),
        ("[project.\"/p\"]\nacount = 'x'", "project./p.acount", Some("account")),
        ("[project.\"/p\".env]\npsas = []", "project./p.env.psas", Some("pass")),
    ] {
        let error = parse_user(PATH, text).unwrap_err();
        let expected = ConfigError::UnknownKey {
            path: PATH.to_owned(),
            key: key.to_owned(),
            nearest: nearest.map(str::to_owned),
        };
        assert_eq!(error, expected, "{text}");
        assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(nearest.unwrap_or("take the key out")), "{hint}");
    }
}

#[test]
fn a_wrong_value_is_named_and_not_repeated() {
    const CANARY: &str = "sk-FAKE-CANARY";
    for (text, reason) in [
        ("network = 'CANARY'", "`network`: expected one of"),
        ("network = 1", "`network`: expected"),
        ("agent = ['CANARY']", "`agent`: expected a string"),
        ("unattended = 'CANARY'", "`unattended`: expected a boolean"),
        ("mount = 'CANARY'", "`mount`: expected a sequence"),
        ("mount = ['CANARY']", "`mount`: expected"),
        ("mount = [{ source = 'x', access = 'CANARY' }]", "`mount`: expected"),
        ("mount = [{ target = '/x' }]", "`mount`: "),
        ("env = 'CANARY'", "`env`: expected"),
        ("[env]\nset = { A = 1 }", "`env`: expected a string"),
        ("[env]\npass = 'CANARY'", "`env`: expected a sequence"),
        ("hide = 'CANARY'", "`hide`: expected a sequence"),
        ("[profile.web]\nstate = 'CANARY'", "`profile.web.state`: expected one of"),
        ("[project.\"/p\"]\nauth = 'CANARY'", "`project./p.auth`: expected one of"),
        ("profile = 'CANARY'", "`profile` must be a table"),
        ("[profile]\nweb = 'CANARY'", "`profile.web` must be a table"),
        ("x = = CANARY", "at byte"),
        ("agent = 'a'\nagent = 'CANARY'", "at byte"),
        ("\0", "at byte"),
    ] {
        let error = parse_user(PATH, &text.replace("CANARY", CANARY)).unwrap_err();
        let shown = format!("{error} {:?}", error.hint());
        assert!(matches!(error, ConfigError::Malformed { .. }), "{text}: {shown}");
        assert!(shown.contains(reason), "{text}: {shown}");
        assert!(shown.contains(PATH) && !shown.contains(CANARY), "{text}: {shown}");
    }
}

#[test]
fn a_project_cannot_say_what_is_the_users() {
    for key in ["expose = ['x']", "as_root_inside = true", "trust_folder = true", "audit = 'never'"] {
        let error = parse_project("/p/.coffer.toml", key).unwrap_err();
        let name = key.split(' ').next().unwrap();
        assert_eq!(
            error,
            ConfigError::NotForProjects { path: "/p/.coffer.toml".to_owned(), key: name.to_owned() }
        );
        assert!(error.hint().unwrap().contains(name));
    }
    assert!(parse_project("p", "[profile.x]\nhide = []").is_err());
    assert!(parse_project("p", "[project.'/x']\nhide = []").is_err());
    assert!(matches!(parse_project("p", "hids = []").unwrap_err(), ConfigError::UnknownKey { .. }));
}

#[test]
fn files_that_say_nothing_say_nothing() {
    for text in ["", "\n# a comment\n", "[env]\n", "[profile]\n"] {
        assert_eq!(parse_user(PATH, text).unwrap().settings, Settings::default(), "{text:?}");
    }
}

#[test]
fn a_mount_reads_as_docker_has_it() {
    for (text, source, target, access) in [
        ("/a", "/a", None, Access::Ro),
        ("~/a", "~/a", None, Access::Ro),
        ("a b", "a b", None, Access::Ro),
        ("/a:ro", "/a", None, Access::Ro),
        ("/a:rw", "/a", None, Access::Rw),
        ("/a:/b", "/a", Some("/b"), Access::Ro),
        ("/a:/b:rw", "/a", Some("/b"), Access::Rw),
        ("/a:/b:ro", "/a", Some("/b"), Access::Ro),
        ("/a:/rw", "/a", Some("/rw"), Access::Ro),
    ] {
        let spec = MountSpec::parse(text).unwrap();
        let shown = (spec.source.0.as_str(), spec.target.as_ref().map(|target| target.0.as_str()));
        assert_eq!((shown, spec.access, spec.optional), ((source, target), access, false), "{text}");
    }
    for text in ["", ":", ":/b", "/a:", "/a::rw", ":rw", "ro", "/a:/b:/c", "/a:/b:x", "/a:/b:rw:ro:"] {
        assert!(MountSpec::parse(text).is_err(), "{text}");
    }
}
