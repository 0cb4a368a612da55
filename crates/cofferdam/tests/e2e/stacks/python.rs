//! The Python environment in a generated service, from an index of the user's own.

use std::collections::BTreeMap;
use std::process::Command;

use coffer_testkit::require;

use super::ground::Ground;
use crate::registries::{Registry, put_wheels};
use crate::support::run;

#[test]
fn genuine_a_python_environment_works_in_a_project_and_survives() {
    let has_venv =
        run(Command::new("/usr/bin/python3").args(["-c", "import venv, ensurepip"])).code == Some(0);
    if !require::capability("venv", has_venv) {
        return;
    }
    let Some(ground) = Ground::new("python", &["compose", "--project", "site"]) else { return };
    // The image of the tests has no Python, so this machine's is shown: there it finds its own by its place.
    let volumes = BTreeMap::from([
        ("/python", "/usr".to_owned()),
        ("/usr/share/python-wheels", "/usr/share/python-wheels".to_owned()),
    ]);
    ground.overrides(&require::claude_native().unwrap(), &volumes);
    let registry = Registry::default();
    put_wheels(&ground.stage, &registry);
    ground.carries("index", ([127, 0, 0, 1], registry.serve()).into());
    ground.is_up();
    ground.key_account("main");
    let inside = |script: &str| {
        let script = format!("export LD_LIBRARY_PATH=/python/lib/x86_64-linux-gnu; {script}");
        run(ground.compose(&["exec", "-T", "site", "coffer", "enter", "sh", "-c", &script]))
    };
    let conf =
        "[global]\nindex-url = http://registry.example.org/simple\ntrusted-host = registry.example.org\n";
    inside(&format!("mkdir -p ~/.config/pip && printf '{conf}' >~/.config/pip/pip.conf")).ends_with(0);
    let install = "/python/bin/python3 -m venv .venv && .venv/bin/pip install made-up-wheel >&2 && \
                   .venv/bin/python -c 'import made_up_wheel; print(made_up_wheel.word)'";
    inside(install).prints("wheel and dep\n");
    assert!(ground.project("site").join(".venv/bin/pip").exists(), "it is in the project");
    run(ground.compose(&["up", "--detach", "--no-build", "--force-recreate", "site"])).ends_with(0);
    inside(".venv/bin/python -c 'import made_up_wheel; print(made_up_wheel.word)'").prints("wheel and dep\n");
    // Whom nobody named is not reached.
    let other = inside(
        "sed -i s/registry.example.org/other.example.org/ ~/.config/pip/pip.conf; \
                        .venv/bin/pip install --retries 0 made-up-dep==2",
    );
    assert_ne!(other.code, Some(0), "{other}");
    ground.ends();
}
