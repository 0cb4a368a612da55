//! `coffer image` with real engines. What would be fetched from registries comes from a base image of the test's own.

use std::path::Path;
use std::process::Command;

use coffer_testkit::engine::{Image, Kind};

use crate::containers::{Place, with_each};
use crate::support::run;

/// Stands in a registry's configuration, and may be in no layer.
const CANARY: &str = "npm-FAKE-canary-4711";

/// Plays the package manager: it writes down what it was to install.
const APT: &str = "#!/bin/sh\necho \"$*\" >>/packages\n";

/// Plays npm 9, which knows nothing of C libraries: the agent is a script, with a part for each of them. It fails without
/// the configuration and the authorities that it was promised.
const NPM: &str = "#!/bin/sh\nset -e\ngrep -q FAKE-canary /root/.npmrc\ngrep -q authority \"$NODE_EXTRA_CA_CERTS\"\n\
                   mkdir -p /opt/agent/bin\nprintf '#!/bin/sh\\necho \"%s says hello\"\\n' \"$8\" >/opt/agent/bin/claude\n\
                   chmod 755 /opt/agent/bin/claude\nfor libc in glibc musl; do\n\
                   mkdir -p /opt/agent/lib/node_modules/@made-up/$libc\n\
                   printf '{\"libc\": [\\n\"%s\"]}' $libc >/opt/agent/lib/node_modules/@made-up/$libc/package.json\n\
                   echo \"a part for $libc\" >/opt/agent/lib/node_modules/@made-up/$libc/part\ndone\n\
                   echo '{}' >/opt/agent/lib/node_modules/package.json\n";

const BASE: &str = "localhost/base-of-a-test:1";

/// A login whose tokens are in no image.
const LOGIN: &str = r#"{"claudeAiOauth": {"accessToken": "sk-ant-oat01-FAKE-no-layer", "refreshToken":
    "sk-ant-ort01-FAKE-no-layer", "expiresAt": 9999999999999, "scopes": ["user:inference"]}}"#;

/// An image that can be built on without a network.
fn base(place: &Place) {
    let folder = place.stage.scratch.root().join("base");
    std::fs::create_dir(&folder).unwrap();
    let file = "FROM localhost/debian\nCOPY apt-get npm /usr/local/bin/\nRUN chmod 755 /usr/local/bin/apt-get /usr/local/bin/npm\n";
    for (name, text) in [("apt-get", APT), ("npm", NPM), ("Containerfile", file)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let _ = Command::new("chmod").args(["-R", "a+rX"]).arg(place.stage.scratch.root()).status();
    let mut command = place.engine.command();
    command.args(["build", "--network", "host", "--tag", BASE, "--file"]);
    command.arg(folder.join("Containerfile")).arg(&folder);
    run(&mut command).ends_with(0);
}

fn image(place: &Place, words: &[&str]) -> Command {
    place.with_engine(place.stage.coffer(["image"].iter().chain(words)))
}

/// Which of these texts are somewhere in an image: in any layer, in its configuration, or in what is known of it.
fn in_image<'a>(place: &Place, name: &str, texts: &[&'a str]) -> Vec<&'a str> {
    let archive = std::fs::File::create(place.stage.scratch.root().join("saved.tar")).unwrap();
    // Uncompressed, with each layer as an archive of its own.
    assert!(place.engine.command().args(["save", name]).stdout(archive).status().unwrap().success());
    let holds = |text: &&&str| {
        let mut search = Command::new("grep");
        search.args(["-qaF", "-e", text]).arg(place.stage.scratch.root().join("saved.tar"));
        search.status().unwrap().success()
    };
    texts.iter().filter(holds).copied().collect()
}

fn built_image_has_the_agent_and_no_secret(kind: Kind) {
    let Some(place) = Place::new(kind, Image::Debian) else { return };
    base(&place);
    let write = |name: &str, text: &str| {
        let path = place.stage.scratch.write_home(name, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let npmrc = write(".npmrc", &format!("//registry.example.org/:_authToken={CANARY}\n"));
    let authorities = write("authorities.pem", "an authority FAKE-authority\n");
    write(".claude/.credentials.json", LOGIN);
    let secrets = [CANARY, "FAKE-authority", "sk-ant-oat01-FAKE-no-layer", "sk-ant-ort01-FAKE-no-layer"];
    let files = ["--npmrc", &npmrc, "--ca-file", &authorities, "--network", "host"];
    let backend = ["--backend", place.engine.backend(), "--base", BASE];
    let words: Vec<&str> = ["build", "--tool", "python"].into_iter().chain(backend).chain(files).collect();
    let built = run(image(&place, &words));
    let name = "localhost/coffer-claude:python";
    built.ends_with(0).keeps_secret(&secrets);
    assert!(built.stderr.contains(&format!("{name} is there")), "{built}");
    assert_eq!(built.text(), "", "data alone goes to stdout");
    let listed = run(image(&place, &["list", "--json", "--backend", place.engine.backend()])).json();
    let found = listed["images"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    assert_eq!((&found["agent"], &found["version"]), (&"claude".into(), &"2.1.330".into()), "{listed}");
    assert_eq!(found["tools"], serde_json::json!(["python"]));
    assert_eq!(in_image(&place, name, &secrets), [""; 0]);
    // The control: what is in there is found. Of the agent's parts it is the one for this C library.
    let there = ["cofferdam.agent-version", "python3-pip", "a part for glibc"];
    assert_eq!(in_image(&place, name, &[&there[..], &["a part for musl"]].concat()), there);
    let run_it = ["--backend", place.engine.backend(), "--image", name, "--network", "none", "--", "claude"];
    let ran = run(place.with_engine(place.stage.run(run_it)));
    ran.ends_with(0);
    assert_eq!(ran.text(), "@anthropic-ai/claude-code@2.1.330 says hello\n", "{ran}");
    // The daemon is there for others, too.
    run(place.engine.command().args(["rmi", name, BASE])).ends_with(0);
}

#[test]
fn an_image_of_roots_podman_has_the_agent_and_the_tools_and_no_secret_in_any_layer() {
    built_image_has_the_agent_and_no_secret(Kind::PodmanOfRoot);
}

#[test]
fn an_image_of_a_users_podman_has_the_agent_and_the_tools_and_no_secret_in_any_layer() {
    built_image_has_the_agent_and_no_secret(Kind::PodmanOfUser);
}

#[test]
fn an_image_of_docker_has_the_agent_and_the_tools_and_no_secret_in_any_layer() {
    built_image_has_the_agent_and_no_secret(Kind::Docker);
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
        let words =
            ["build", "--network", "host", "--base", "localhost/tiny", "--backend", place.engine.backend()];
        let failed = run(image(place, &words));
        failed.refuses(4, "image-not-built", "`localhost/coffer-claude:latest` was not built", "--npmrc");
        assert!(failed.stderr.contains("neither apt-get nor apk"), "{failed}");
        let listed = run(image(place, &["list", "--backend", place.engine.backend()]));
        assert!(!listed.ends_with(0).text().contains("localhost/coffer-claude:latest"), "{listed}");
        // Others build with the daemon of the run.
        let said = listed.stderr.contains("No image was built yet");
        assert!(said || place.engine.kind() == Kind::Docker, "{listed}");
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
