use crate::config::Merged;
use crate::fixture::Machine;
use crate::origin::OriginLayer;
use crate::plan::{AuthMode, NetworkTier, StateMode};

/// What is merged besides the origins' words.
fn proposals(merged: &Merged) -> Vec<(&str, &str)> {
    merged
        .proposals
        .iter()
        .map(|proposal| {
            assert_eq!(proposal.origin.layer, OriginLayer::ProjectFile);
            let key = proposal.origin.name.strip_prefix("/home/ada/src/app/.coffer.toml: ").unwrap();
            (key, proposal.text.as_str())
        })
        .collect()
}

/// Every key that a project may write: applied, or proposed and without effect.
#[test]
fn a_project_tightens_or_proposes() {
    for (text, proposal) in [
        ("agent = 'shell'", Some(("agent", "agent `shell`"))),
        ("account = 'work'", Some(("account", "account `work`"))),
        ("auth = 'none'", None),
        ("auth = 'lease'", Some(("auth", "auth mode `lease`"))),
        ("auth = 'shared'", Some(("auth", "auth mode `shared`"))),
        ("auth = 'gateway'", Some(("auth", "auth mode `gateway`"))),
        ("state = 'fresh'", None),
        ("state = 'project'", Some(("state", "state mode `project`"))),
        ("state = 'shared'", Some(("state", "state mode `shared`"))),
        ("state = 'copy'", Some(("state", "state mode `copy`"))),
        ("network = 'none'", None),
        ("network = 'agent'", None),
        ("network = 'dev'", None),
        ("network = 'learn'", Some(("network", "network tier `learn`"))),
        ("network = 'full'", Some(("network", "network tier `full`"))),
        ("backend = 'podman'", Some(("backend", "backend `podman`"))),
        ("profiles = ['a', 'b']", Some(("profiles", "profiles `a, b`"))),
        ("unattended = true", Some(("unattended", "unattended `true`"))),
        ("unattended = false", Some(("unattended", "unattended `false`"))),
        ("mount = [{ source = '~/x', access = 'rw' }]", Some(("mount", "mount of `~/x` (rw)"))),
        ("path = ['bin']", Some(("path", "`bin` on the PATH"))),
        ("env = { pass = ['X'] }", Some(("env.pass", "variable `X` from the host"))),
        ("env = { set = { X = 'sk-FAKE' } }", Some(("env.set", "variable `X` set to `****`"))),
        ("env = { set = { X = 'y' } }", Some(("env.set", "variable `X` set to `y`"))),
        ("mount = [{ source = '/x', target = '/y' }]", Some(("mount", "mount of `/x` on `/y` (ro)"))),
        ("ssh_agent = true", Some(("ssh_agent", "your SSH keys (`--ssh-agent`)"))),
        ("gpg_agent = ['a', 'b']", Some(("gpg_agent", "your GnuPG keys a, b (`--gpg-agent=KEY`)"))),
        ("confirm_keys = true", None),
        ("ssh_agent = false", None),
        ("limits.memory = '1G'", None),
        ("limits.pids = 64", None),
        ("limits.cpus = 1", None),
        ("limits.memory = 'none'", Some(("limits.memory", "memory limit `none` (`--memory none`)"))),
        ("limits.pids = 'none'", Some(("limits.pids", "pids limit `none` (`--pids none`)"))),
        ("hide = ['x']", None),
        ("readonly = ['x']", None),
    ] {
        let before = Machine::ada().merged();
        let merged = Machine::ada().project(text, false).merged();
        match proposal {
            Some(proposal) => {
                assert_eq!(proposals(&merged), [proposal], "{text}");
                let without = Merged { proposals: Vec::new(), ..merged };
                assert_eq!(without, before, "{text} had an effect");
            }
            None => {
                assert!(merged.proposals.is_empty(), "{text}");
                assert_ne!(merged, before, "{text} had no effect");
            }
        }
    }
}

#[test]
fn a_project_never_widens_the_network() {
    use NetworkTier::{Agent, Dev, Full, Learn, None};
    let tiers = [None, Agent, Dev, Learn, Full];
    for (mine, said_by_user) in tiers.iter().enumerate() {
        for (asked, said_by_project) in tiers.iter().enumerate() {
            let merged = Machine::ada()
                .config(&format!("network = '{said_by_user}'"))
                .project(&format!("network = '{said_by_project}'"), false)
                .merged();
            let expected = if asked <= mine { said_by_project } else { said_by_user };
            assert_eq!(merged.network.value, *expected, "{said_by_user} then {said_by_project}");
            assert_eq!(merged.proposals.is_empty(), asked <= mine);
        }
    }
}

#[test]
fn a_trusted_project_decides_like_a_person() {
    let text = "auth = 'lease'\nstate = 'shared'\nunattended = true\npath = ['bin']\nprofiles = []\n\
                [env]\npass = ['X']\nset = { Y = 'z' }\n[[mount]]\nsource = '~/x'\naccess = 'rw'\n";
    let merged = Machine::ada().project(text, true).merged();
    assert!(merged.proposals.is_empty());
    assert_eq!(merged.auth.as_ref().unwrap().value, AuthMode::Lease);
    assert_eq!((merged.state.value, merged.unattended.value), (StateMode::Shared, true));
    assert_eq!((merged.path.len(), merged.env_pass.len(), merged.env_set.len()), (1, 1, 1));
    assert_eq!(merged.mounts.len(), 1);
    let origins = [&merged.state.origin, &merged.unattended.origin, &merged.mounts[0].origin];
    assert!(
        origins.iter().all(|origin| origin.layer == OriginLayer::ProjectFile && !origin.is_persons_word())
    );
}

#[test]
fn trust_is_of_exactly_this_content() {
    let mut trust = crate::config::Trust::default();
    trust.0.insert(("/p/.coffer.toml".into(), "aa".to_owned()));
    assert!(trust.covers("/p/.coffer.toml".into(), "aa"));
    assert!(!trust.covers("/p/.coffer.toml".into(), "ab"));
    assert!(!trust.covers("/q/.coffer.toml".into(), "aa"));
    assert!(!crate::config::Trust::default().covers("/p/.coffer.toml".into(), "aa"));
}
