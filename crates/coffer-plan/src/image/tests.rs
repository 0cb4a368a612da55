use super::{BASE, ImageError, Recipe};
use crate::built_in;

fn recipe(agent: &str, tools: &[&str]) -> Result<Recipe, ImageError> {
    let agents = built_in::agents().unwrap();
    let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    Recipe::new(&agents[agent], None, None, &tools, built_in::image_parts().unwrap())
}

#[test]
fn an_image_has_the_agent_at_one_version_and_what_was_asked_for() {
    let plain = recipe("claude", &[]).unwrap();
    let file = plain.containerfile();
    assert!(file.contains("@anthropic-ai/claude-code@2.1.330"), "{file}");
    assert_eq!(plain.name(), "localhost/coffer-claude:latest");
    // What only installs the agent stays out of what is used.
    let (build, used) = file.rsplit_once("\nFROM ").unwrap();
    assert!(build.contains(" npm") && used.starts_with(BASE), "{file}");
    assert!(!used.contains("npm") && !used.contains("nodejs") && used.contains("git ripgrep"), "{file}");
    let python = recipe("claude", &["uv"]).unwrap();
    assert_eq!(python.name(), "localhost/coffer-claude:python-uv");
    let file = python.containerfile();
    assert!(file.contains("python3 python3-venv python3-pip"), "{file}");
    assert!(file.contains("pip install --break-system-packages uv=="), "{file}");
    assert!(file.contains("LABEL cofferdam.tools=\"python,uv\""), "{file}");
    let on_node = recipe("gemini", &[]).unwrap().containerfile();
    assert!(on_node.rsplit_once("\nFROM ").unwrap().1.contains("nodejs"), "{on_node}");
}

#[test]
fn every_tool_of_the_list_can_be_asked_for_and_is_there_once() {
    let parts = built_in::image_parts().unwrap();
    for tool in &parts.tools {
        let found = recipe("claude", &[&tool.name, &tool.name]).unwrap().tools;
        assert_eq!(found.iter().filter(|one| one.name == tool.name).count(), 1, "{}", tool.name);
        assert!(tool.pip.iter().all(|package| package.contains("==")), "{}", tool.name);
        let brings = !tool.debian.is_empty() && !tool.alpine.is_empty() || !tool.pip.is_empty();
        assert!(brings && !tool.about.is_empty(), "{}", tool.name);
    }
}

#[test]
fn nothing_that_is_said_becomes_a_line_of_the_file() {
    let agents = built_in::agents().unwrap();
    let claude = &agents["claude"];
    let parts = || built_in::image_parts().unwrap();
    for word in ["1.0\nRUN x", "1.0; x", "", "-x", "$(x)", "a b", "\"", "`x`"] {
        let version = Recipe::new(claude, Some(word), None, &[], parts());
        assert!(matches!(version, Err(ImageError::Word { .. })), "{word:?}");
        let base = Recipe::new(claude, None, Some(word), &[], parts());
        assert!(matches!(base, Err(ImageError::Word { .. })), "{word:?}");
    }
    let base = "registry.example.org:5000/team/base@sha256:0123456789abcdef";
    assert!(Recipe::new(claude, Some("2.1.331-beta.1"), Some(base), &[], parts()).is_ok());
    let unknown = recipe("claude", &["cobol"]).unwrap_err();
    assert!(unknown.hint().contains("python, uv, node"), "{unknown:?}");
    assert!(matches!(recipe("shell", &[]), Err(ImageError::NoAgent { .. })));
}
