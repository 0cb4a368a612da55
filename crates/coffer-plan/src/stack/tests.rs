use std::path::Path;

use camino::Utf8Path;
use expect_test::expect_file;

use super::text::{fill, quoted};
use super::{For, Project, Service, ServiceName, Stack, State};
use crate::built_in;
use crate::fixture::Machine;
use crate::image::Recipe;
use crate::plan::NetworkTier;

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn project(source: &str, called: &str, read_only: bool) -> Project {
    Project { source: source.into(), name: name(called), read_only }
}

fn service(called: &str, account: &str, projects: Vec<Project>) -> Service {
    Service { name: name(called), account: account.to_owned(), projects, kept: Vec::new() }
}

fn stack(kind: For, services: Vec<Service>) -> Stack {
    let agents = built_in::agents().unwrap();
    let recipe = |tools: &[&str]| {
        let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
        Recipe::new(&agents["claude"], None, None, &tools, built_in::image_parts().unwrap()).unwrap()
    };
    Stack {
        name: name("stack"),
        kind,
        state: State::of(&agents["claude"], &Machine::ada().facts),
        agent: agents["claude"].clone(),
        image: recipe(&["python"]),
        keeper_image: recipe(&[]),
        ids: (1001, 1002),
        network: NetworkTier::Dev,
        services,
    }
}

fn own(called: &str, account: &str) -> Service {
    service(called, account, vec![project(&format!("projects/{called}"), called, false)])
}

/// Each variant of which there is a folder with what it must be.
fn variants() -> Vec<(&'static str, Stack)> {
    let site = || project("/home/ada/work/site", "site", false);
    let api = || project("../api", "api", false);
    let docs = || project("/srv/docs $HOME \"x\"", "docs", true);
    vec![
        ("shared", stack(For::Compose, vec![own("one", "main"), own("two", "main")])),
        ("isolated", stack(For::Compose, vec![own("one", "one"), own("two", "two")])),
        (
            "projects",
            stack(
                For::Compose,
                vec![
                    service("site", "main", vec![site(), docs()]),
                    service("api", "main", vec![api(), docs()]),
                ],
            ),
        ),
        ("devcontainer", {
            let site = service("site", "main", vec![project("..", "site", false)]);
            let kept = vec!["/projects/site/.devcontainer".into()];
            stack(For::Editor, vec![Service { kept, ..site }])
        }),
    ]
}

#[test]
fn every_variant_gives_its_files() {
    for (variant, stack) in variants() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack").join(variant);
        for file in stack.files() {
            // A folder that begins with a point is easily missed by who looks.
            let path = file
                .path
                .as_str()
                .replace(".devcontainer", "devcontainer")
                .replace(".gitignore", "gitignore");
            expect_file![folder.join(path)].assert_eq(&file.text);
        }
    }
}

#[test]
fn nothing_is_left_to_be_filled_in_and_nothing_can_be_put_into_it() {
    for (variant, stack) in variants() {
        for file in stack.files() {
            assert!(!file.text.contains("{{"), "{variant}/{}: {}", file.path, file.text);
        }
    }
    assert_eq!(fill("{{a}} {{b}} {{", &[("a", "{{b}}".to_owned()), ("b", "x".to_owned())]), "{{b}} x {{");
    assert_eq!(quoted("a\"b\n- c"), r#""a\"b\n- c""#);
    let odd = stack(For::Compose, vec![service("one", "main", vec![project("a\n  x: y$Z", "one", false)])]);
    let compose = odd.files().remove(0).text;
    assert!(compose.contains(r#"source: "./a\n  x: y$$Z""#), "{compose}");
}

#[test]
fn no_service_has_a_login_a_network_or_another_ones_door() {
    for (variant, stack) in variants() {
        let compose = stack.files().remove(0).text;
        let (_, services) = compose.split_once("\nservices:").unwrap();
        let (services, _) = services.split_once("\nvolumes:").unwrap();
        for service in &stack.services {
            let (_, own) = services.split_once(&format!("\n  {}:\n", service.name)).unwrap();
            let own = own.split("\n\n").next().unwrap();
            assert!(own.contains("<<: *agent") && !own.contains("source: keeper"), "{variant}: {own}");
            for other in stack.services.iter().filter(|other| other.name != service.name) {
                assert!(!own.contains(&format!("{}-door", other.name)), "{variant}: {own}");
            }
        }
        assert_eq!(compose.matches("network_mode: none").count(), 1, "{variant}");
        // What is mounted is a folder or a volume, and no login read-only.
        let mut sources = compose.lines().filter(|line| line.contains("source:"));
        assert!(sources.all(|line| !line.contains("claude") && !line.contains("credentials")), "{variant}");
        assert!(!compose.contains("TOKEN") && !compose.contains("privileged: true"), "{variant}");
    }
}

#[test]
fn names_are_plain() {
    for word in ["one", "a", "site-2", "a1-b"] {
        assert_eq!(name(word).as_str(), word);
    }
    for word in ["", "One", "1a", "-a", "a_b", "a b", "a.b", "keeper", "ü", &"a".repeat(41)] {
        assert!(word.parse::<ServiceName>().is_err(), "{word:?}");
    }
    for (folder, called) in
        [("/x/My Site", "my-site"), ("/x/.9site", "site"), ("/x/site-", "site"), ("/x/a.b_c", "a-b-c")]
    {
        assert_eq!(ServiceName::of_folder(Utf8Path::new(folder)).unwrap().as_str(), called);
    }
    for folder in ["/", "/x/99", "/x/keeper", "/x/äöü"] {
        assert!(ServiceName::of_folder(Utf8Path::new(folder)).is_err(), "{folder}");
    }
}
