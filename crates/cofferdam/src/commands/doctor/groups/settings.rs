//! The agent's settings, and which credential wins.

use coffer_launch::launch::quote;
use coffer_plan::facts::{EnvFact, SettingsScope};
use coffer_plan::sign_in::verify::Verdict;

use super::super::deferred::Deferred;
use super::super::finding::Seen;
use super::super::scene::Scene;

pub(crate) fn overrides(scene: &Scene) -> Vec<Seen> {
    scene.looked.winner.warning.iter().map(Seen::new).collect()
}

pub(crate) fn broken(scene: &Scene) -> Vec<Seen> {
    let settings = scene.looked.facts.settings.iter();
    settings
        .filter_map(|fact| Some(Seen::new(format!("`{}`: {}", fact.file, fact.broken.as_ref()?))))
        .collect()
}

/// Keys that look like variables: the names of these are upper-case, those of settings are not.
pub(crate) fn outside_env(scene: &Scene) -> Vec<Seen> {
    let is_variable = |key: &&String| {
        let plain =
            key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        plain && key.contains('_')
    };
    let mut seen = Vec::new();
    for (file, keys) in &scene.settings_keys {
        let found: Vec<String> = keys.iter().filter(is_variable).map(|key| format!("`{key}`")).collect();
        if !found.is_empty() {
            seen.push(Seen::new(format!("`{file}` has {} outside of `env`", found.join(", "))));
        }
    }
    seen
}

pub(crate) fn redirected(scene: &Scene) -> Vec<Seen> {
    let facts = &scene.looked.facts;
    let users = facts.settings.iter().filter(|settings| settings.scope == SettingsScope::User);
    let Some(name) = &scene.looked.agent.account.base_url else { return Vec::new() };
    let in_settings = users.filter_map(|settings| settings.env.get(name));
    let all = in_settings.chain(facts.environment.get(name));
    all.filter(|fact| fact.is_set())
        .take(1)
        .map(|fact| {
            let label = match fact {
                EnvFact::Value(text) | EnvFact::Redacted(text) => text.as_str(),
                EnvFact::Empty => "",
            };
            Seen::new(format!("`{name}` leads to {label}"))
        })
        .collect()
}

pub(crate) fn project(scene: &Scene) -> Vec<Seen> {
    let project =
        scene.looked.facts.settings.iter().filter(|settings| settings.scope == SettingsScope::Project);
    project
        .filter(|settings| !settings.redirects.is_empty())
        .map(|settings| Seen::new(format!("`{}` sets {}", settings.file, settings.redirects.join(", "))))
        .collect()
}

pub(crate) fn placeholder(scene: &Scene) -> Vec<Seen> {
    let found = scene.placeholders.iter();
    found
        .map(|name| {
            Seen::new(format!("`{name}` does not begin as one of its issuer's"))
                .command(format!("`unset {name}`, or set the address of the proxy that it is for"))
        })
        .collect()
}

pub(crate) fn executes(scene: &Scene) -> Vec<Seen> {
    let found = scene.deferred.iter();
    found
        .map(|Deferred { file, run }| {
            Seen::new(format!("`{file}` was written while the run {run} had the project"))
                .command(format!("look at it before you go on here: `less {}`", quote(file.as_str())))
        })
        .collect()
}

pub(crate) fn client_json(scene: &Scene) -> Vec<Seen> {
    let Some(client) = &scene.client else { return Vec::new() };
    let Some(newest) = client.newest_backup.as_ref().filter(|_| client.content.is_none()) else {
        return Vec::new();
    };
    let text = format!("`{}` is not there, and `{newest}` is", client.file);
    vec![Seen::new(text).command(format!(
        "`cp -p {} {}`",
        quote(newest.as_str()),
        quote(client.file.as_str())
    ))]
}

pub(crate) fn onboarding(scene: &Scene) -> Vec<Seen> {
    let signed_in = scene.looked.account("host").is_some_and(|host| {
        host.login.as_ref().is_some_and(|login| login.shape.details().is_some())
            && matches!(host.verified.verdict, Verdict::Ready | Verdict::Expiring)
    });
    let Some(client) = scene.client.as_ref().filter(|_| signed_in) else { return Vec::new() };
    match client.content {
        Some(content) if !content.onboarded => {
            vec![Seen::new(format!("`{}` does not say `hasCompletedOnboarding`", client.file))]
        }
        Some(_) => Vec::new(),
        None if client.newest_backup.is_none() => {
            vec![Seen::new(format!("`{}` is not there", client.file))]
        }
        // That is another check's.
        None => Vec::new(),
    }
}
