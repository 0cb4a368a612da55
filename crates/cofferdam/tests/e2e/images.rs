//! `coffer image` with real engines. What would be fetched from registries comes from a base image of the test's own.

use std::path::Path;
use std::process::Command;

use coffer_testkit::engine::Image;

use crate::containers::{Place, with_each};
use crate::support::run;

/// Stands in a registry's configuration, and may be in no layer.
const CANARY: &str = "npm-FAKE-canary-4711";

/// Plays the package manager: it writes down what it was to install.
const APK: &str = "#!/bin/sh\necho \"$*\" >>/packages\n";

/// Plays npm: the agent is a script. It fails without the configuration and the authorities that it was promised.
const NPM: &str = "#!/bin/sh\nset -e\ngrep -q FAKE-canary /root/.npmrc\ngrep -q authority \"$NODE_EXTRA_CA_CERTS\"\n\
                   mkdir -p /opt/agent/bin\nprintf '#!/bin/sh\\necho \"%s says hello\"\\n' \"$8\" >/opt/agent/bin/claude\n\
                   chmod 755 /opt/agent/bin/claude\n";

const BASE: &str = "localhost/base-of-a-test:1";

/// An image that can be built on without a network.
fn base(place: &Place) {
    let folder = place.stage.scratch.root().join("base");
    std::fs::create_dir(&folder).unwrap();
    let file = "FROM localhost/tiny\nCOPY apk npm /usr/local/bin/\nRUN chmod 755 /usr/local/bin/apk /usr/local/bin/npm\n";
    for (name, text) in [("apk", APK), ("npm", NPM), ("Containerfile", file)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let _ = Command::new("chmod").args(["-R", "a+rX"]).arg(place.stage.scratch.root()).status();
    let mut command = place.engine.command();
    command.args(["build", "--tag", BASE, "--file"]).arg(folder.join("Containerfile")).arg(&folder);
    run(&mut command).ends_with(0);
}

fn image(place: &Place, words: &[&str]) -> Command {
    place.with_engine(place.stage.coffer(["image"].iter().chain(words)))
}

/// Everything that is in an image, each layer among it.
fn saved(place: &Place, name: &str) -> Vec<u8> {
    run(place.engine.command().args(["save", name])).stdout
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn an_image_has_the_agent_and_the_tools_and_no_secret_in_any_layer() {
    with_each(Image::Tiny, |place| {
        // The daemon of the tests has no network for builds.
        if place.engine.backend() == "docker" {
            return;
        }
        base(place);
        let write = |name: &str, text: &str| {
            let path = place.stage.project_file(name, text);
            path.to_str().unwrap().to_owned()
        };
        let npmrc = write("npmrc", &format!("//registry.example.org/:_authToken={CANARY}\n"));
        let authorities = write("authorities.pem", "an authority FAKE-authority\n");
        let files = ["--npmrc", &npmrc, "--ca-file", &authorities];
        let backend = ["--backend", place.engine.backend(), "--base", BASE];
        let words: Vec<&str> =
            ["build", "--tool", "python"].into_iter().chain(backend).chain(files).collect();
        let built = run(image(place, &words));
        let name = "localhost/coffer-claude:python";
        built.ends_with(0).keeps_secret(&[CANARY]);
        assert!(built.stderr.contains(&format!("{name} is there")), "{built}");
        assert_eq!(built.text(), "", "data alone goes to stdout");
        let listed = run(image(place, &["list", "--json", "--backend", place.engine.backend()])).json();
        let found = &listed["images"][0];
        assert_eq!((&found["name"], &found["version"]), (&name.into(), &"2.1.330".into()), "{listed}");
        assert_eq!((&found["agent"], &found["tools"]), (&"claude".into(), &serde_json::json!(["python"])));
        let layers = saved(place, name);
        // The control: what is in there is found.
        assert!(holds(&layers, "cofferdam.agent-version") && holds(&layers, "py3-pip"));
        assert!(!holds(&layers, CANARY) && !holds(&layers, "FAKE-authority"));
        let run_it =
            ["--backend", place.engine.backend(), "--image", name, "--network", "none", "--", "claude"];
        let ran = run(place.with_engine(place.stage.run(run_it)));
        ran.ends_with(0);
        assert_eq!(ran.text(), "@anthropic-ai/claude-code@2.1.330 says hello\n", "{ran}");
    });
}

#[test]
fn images_of_ours_are_listed_and_no_others() {
    with_each(Image::Tiny, |place| {
        let folder = place.stage.scratch.root().join("labelled");
        std::fs::create_dir(&folder).unwrap();
        let labels = "FROM localhost/tiny\nLABEL cofferdam.agent=claude cofferdam.agent-version=2.1.330 \
                      cofferdam.tools=python,uv\n";
        std::fs::write(folder.join("Containerfile"), labels).unwrap();
        let _ = Command::new("chmod").args(["-R", "a+rX"]).arg(place.stage.scratch.root()).status();
        let mut command = place.engine.command();
        let name = format!("localhost/listed-{}:1", std::process::id());
        command.args(["build", "--tag", &name, "--file"]).arg(folder.join("Containerfile")).arg(&folder);
        run(&mut command).ends_with(0);
        let listed = run(image(place, &["list", "--json", "--backend", place.engine.backend()])).json();
        let images = listed["images"].as_array().unwrap();
        let ours: Vec<_> = images.iter().filter(|one| one["name"] == name.as_str()).collect();
        let [one] = ours.as_slice() else { panic!("{listed}") };
        assert_eq!(
            (&one["version"], &one["tools"]),
            (&"2.1.330".into(), &serde_json::json!(["python", "uv"]))
        );
        assert!(images.iter().all(|one| one["name"] != "localhost/tiny:latest"), "{listed}");
        run(place.engine.command().args(["rmi", &name])).ends_with(0);
    });
}

#[test]
fn what_cannot_be_built_says_why_and_leaves_nothing() {
    with_each(Image::Tiny, |place| {
        if place.engine.backend() == "docker" {
            return;
        }
        let words = ["build", "--base", "localhost/tiny", "--backend", place.engine.backend()];
        let failed = run(image(place, &words));
        failed.refuses(4, "image-not-built", "`localhost/coffer-claude:latest` was not built", "--npmrc");
        assert!(failed.stderr.contains("neither apt-get nor apk"), "{failed}");
        let listed = run(image(place, &["list", "--backend", place.engine.backend()]));
        assert!(listed.ends_with(0).stderr.contains("No image was built yet"), "{listed}");
        let left = place.runs().parent().map(Path::to_owned).unwrap().read_dir().unwrap();
        assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("image-")));
    });
}

#[test]
fn a_file_can_be_had_without_an_engine_and_words_are_looked_at() {
    let stage = crate::support::Stage::new();
    let mut print = stage.coffer(["image", "build", "--print", "--tool", "uv", "--agent-version", "2.1.112"]);
    let printed = run(print.env("PATH", stage.scratch.root()));
    printed.ends_with(0);
    let text = printed.text();
    assert!(text.starts_with("# Made by `coffer image build`: claude 2.1.112.\nFROM debian:"), "{text}");
    run(stage.coffer(["image", "build", "--tool", "cobol"])).refuses(2, "image", "called `cobol`", "python");
    run(stage.coffer(["image", "build", "--base", "x\nRUN y"])).refuses(
        2,
        "image",
        "is no reference",
        "--base",
    );
    let nobody = run(stage.coffer(["image", "list"]).env("PATH", stage.scratch.root()));
    nobody.refuses(4, "backend-missing", "is not on the PATH", "install");
}
