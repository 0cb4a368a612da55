//! The home's part: toolchains, the agent's program, its state, the project, what the user asked for.

use camino::Utf8Path;

use super::credential::SignedIn;
use super::image;
use super::mounts::MountList;
use super::working_copy::{self, state_of_account, state_of_project};
use crate::agent::{SeedWhen, StateLayout};
use crate::facts::SettingsScope;
use crate::origin::{Origin, OriginLayer};
use crate::path::is_within;
use crate::plan::{
    Access, CopyWay, FileContent, MountOp, Reference, RunFolder, Source, State, StateLink, StateMode,
    StateSeed, WorkingCopy,
};
use crate::policy::{MountRequest, Policy};

/// What profiles mount: toolchains and the like.
pub(super) fn toolchains(list: &mut MountList<'_>, policy: &Policy, home: &Utf8Path) {
    for request in policy.mounts.iter().filter(|request| request.origin.layer == OriginLayer::Profile) {
        let in_project = is_within(&request.target, &list.facts.project.path);
        if in_project || list.has_target(&request.target) || image::is_of_host(policy, &request.origin) {
            continue;
        }
        mount(list, request, policy);
    }
    git_identity(list, home);
}

/// Who commits, without the rest of the user's git configuration.
fn git_identity(list: &mut MountList<'_>, home: &Utf8Path) {
    let Some(identity) = &list.facts.git_identity else {
        return;
    };
    // A line break would start a key of its own; other control characters have no place in a name.
    let quote = |value: &String| {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("\"{}\"", escaped.replace(char::is_control, " "))
    };
    let mut text = String::from("[user]\n");
    if let Some(name) = &identity.name {
        text.push_str(&format!("\tname = {}\n", quote(name)));
    }
    if let Some(email) = &identity.email {
        text.push_str(&format!("\temail = {}\n", quote(email)));
    }
    let op = MountOp::File { content: FileContent::Text { text } };
    list.push(op, home.join(".gitconfig"), Origin::built_in("git identity"));
}

/// The agent's program, if it does not lie in what is shown anyway.
pub(super) fn agent(list: &mut MountList<'_>) {
    let Some(agent) = &list.facts.agent else { return };
    let origin = Origin::new(OriginLayer::Agent, format!("{}: program", agent.name));
    if !list.shows(&agent.install_root) {
        list.bind(&agent.install_root, &agent.install_root, Access::Ro, &origin);
    }
    if agent.path != agent.resolved && !list.shows(&agent.path) {
        let source = agent.resolved.to_string();
        list.push(MountOp::Symlink { source }, agent.path.clone(), origin);
    }
}

/// The agent's own files, with the user's configuration in it read-only.
pub(super) fn state(list: &mut MountList<'_>, policy: &Policy, signed_in: &SignedIn) -> State {
    let origin = policy.state.origin.clone();
    let mode = policy.state.value;
    let layout = policy.agent.state.as_ref();
    let target = layout.and_then(|layout| layout.home.expand(list.facts));
    let (Some(layout), Some(target)) = (layout, target) else {
        return State {
            mode,
            origin,
            source: None,
            target: None,
            seeds: Vec::new(),
            links: Vec::new(),
            login: None,
            copy: None,
        };
    };
    let folder = state_of_project(list.facts, &policy.agent.name);
    let (source, copy) = match mode {
        StateMode::Fresh => (Source::Run { folder: RunFolder::State }, None),
        StateMode::Shared => (Source::Own { path: state_of_account(list.facts, policy) }, None),
        StateMode::Project => (Source::Own { path: folder }, None),
        StateMode::Copy => {
            let copy = working_copy::derive(policy, list.facts, folder);
            (Source::Run { folder: RunFolder::Copy }, Some(copy))
        }
    };
    if let Some(copy) = &copy {
        list.note(working_copy::note(copy), origin.clone());
    }
    let op = match &copy {
        Some(WorkingCopy { of, way: CopyWay::Overlay, .. }) => {
            MountOp::Overlay { source: Source::Own { path: of.clone() }, access: Access::Rw }
        }
        Some(WorkingCopy { way: CopyWay::Reflink | CopyWay::Copy, .. }) | None => {
            MountOp::Bind { source: source.clone(), access: Access::Rw }
        }
    };
    list.push(op, target.clone(), origin.about(format_args!("state {mode}")));
    user_config(list, policy, layout, &target);
    let links = signed_in.link.iter().map(|(name, to)| StateLink {
        name: name.clone(),
        to: to.clone(),
        origin: signed_in.credential.origin.clone(),
    });
    let links = links.collect();
    let seeds = seeds(list, policy, signed_in);
    let login = policy.agent.login.as_ref().map(|login| login.file.clone());
    State { mode, origin, source: Some(source), target: Some(target), seeds, links, login, copy }
}

/// The user's own configuration of the agent, from an allowlist of paths.
fn user_config(list: &mut MountList<'_>, policy: &Policy, layout: &StateLayout, target: &Utf8Path) {
    let Some(host) = layout.host.iter().find_map(|template| template.expand(list.facts)) else {
        return;
    };
    let origin = Origin::new(OriginLayer::Agent, format!("{}: user_config", policy.agent.name));
    for name in &policy.agent.user_config {
        list.bind_if_there(&host.join(name), &target.join(name), &origin);
    }
    let user_settings = list.facts.settings.iter().find(|settings| settings.scope == SettingsScope::User);
    let Some(settings) = user_settings else { return };
    if let Some(reason) = &settings.broken {
        list.note(format!("`{}` is left out: {reason}", settings.file), origin);
    } else if let Some(name) = settings.file.file_name() {
        let label = "your settings without secrets and helpers".to_owned();
        let reference = Reference::Settings { agent: policy.agent.name.clone(), file: settings.file.clone() };
        let content = FileContent::Reference { reference, label };
        list.push(MountOp::File { content }, target.join(name), origin);
    }
}

fn seeds(list: &MountList<'_>, policy: &Policy, signed_in: &SignedIn) -> Vec<StateSeed> {
    let origin = Origin::new(OriginLayer::Agent, format!("{}: seed", policy.agent.name));
    let applies = |when: SeedWhen| match when {
        SeedWhen::Always => true,
        SeedWhen::SignedIn => signed_in.sign_in.winner.is_some(),
        SeedWhen::TrustFolder => policy.trust_folder.value,
        SeedWhen::Unattended => policy.unattended.value,
    };
    // The path stands in JSON text, so it is quoted as JSON.
    let quoted = serde_json::Value::from(list.facts.project.path.as_str()).to_string();
    let project = &quoted[1..quoted.len() - 1];
    let mut seeds: Vec<StateSeed> = policy
        .agent
        .seeds
        .iter()
        .filter(|seed| applies(seed.when))
        .map(|seed| StateSeed {
            file: seed.file.clone(),
            content: FileContent::Text { text: seed.json.replace("${project}", project) },
            origin: origin.clone(),
        })
        .collect();
    let of_user: Vec<_> = list.facts.mcp_servers.iter().filter(|server| !server.of_project).collect();
    if let (Some(mcp), Some(first)) = (&policy.agent.settings.mcp, of_user.first()) {
        let names: Vec<&str> = of_user.iter().map(|server| server.name.as_str()).collect();
        let label = format!("your MCP servers without their secrets: {}", names.join(", "));
        let reference = Reference::McpServers { agent: policy.agent.name.clone(), file: first.file.clone() };
        let content = FileContent::Reference { reference, label };
        seeds.push(StateSeed { file: mcp.state_file.clone(), content, origin });
    }
    seeds
}

/// The project, read-write at its own path, with its repository when that lies elsewhere.
pub(super) fn project(list: &mut MountList<'_>) {
    let facts = list.facts;
    let project = facts.project.path.clone();
    list.bind(&project, &project, Access::Rw, &Origin::built_in("project"));
    let Some(git) = &facts.project.git else { return };
    let origin = Origin::built_in("the project's repository");
    let elsewhere: Vec<_> =
        [&git.common_dir, &git.git_dir].into_iter().filter(|folder| !is_within(folder, &project)).collect();
    if elsewhere.is_empty() {
        return;
    }
    if !git.verified {
        let text =
            format!("the repository in `{}` is left out: it does not name this work tree", git.git_dir);
        list.note(text, origin);
        return;
    }
    for folder in elsewhere {
        if !list.shows(folder) {
            list.bind(folder, folder, Access::Rw, &origin);
        }
    }
}

/// What persons asked for; it replaces what a profile put at the same place.
pub(super) fn requests(list: &mut MountList<'_>, policy: &Policy) {
    for request in policy.mounts.iter().filter(|request| request.origin.layer != OriginLayer::Profile) {
        list.make_way(&request.target, |origin| {
            matches!(origin.layer, OriginLayer::Profile | OriginLayer::Tool)
        });
        mount(list, request, policy);
    }
}

fn mount(list: &mut MountList<'_>, request: &MountRequest, policy: &Policy) {
    // The check says what it leads to.
    if crate::sockets::leads_to(&request.source, policy, list.facts).is_some() {
        list.bind_socket(&request.source, &request.target, &request.origin);
    } else if request.optional && request.access == Access::Ro {
        list.bind_if_there(&request.source, &request.target, &request.origin);
    } else if !request.optional || list.facts.exists(&request.source) {
        list.bind(&request.source, &request.target, request.access, &request.origin);
    }
}

/// What is taken away again, after everything else: wherever it is shown, and showing nothing more.
pub(super) fn denials(list: &mut MountList<'_>, policy: &Policy) {
    // Parents first: what lies in a read-only folder is read-only already.
    let mut readonly: Vec<_> = policy.readonly.iter().collect();
    readonly.sort_by(|one, other| one.value.cmp(&other.value));
    for path in readonly {
        if list.facts.exists(&path.value) {
            list.pin_parents(&path.value, &path.origin);
            list.keep_read_only(&path.value, &path.origin);
        } else {
            let text = format!("`{}` cannot be kept read-only: it does not exist", path.value);
            list.note(text, path.origin.clone());
        }
    }
    for path in &policy.hide {
        if list.facts.exists(&path.value) {
            list.pin_parents(&path.value, &path.origin);
            list.hide(&path.value, &path.origin);
        } else {
            let text = format!("nothing to hide at `{}`: it does not exist", path.value);
            list.note(text, path.origin.clone());
        }
    }
}
