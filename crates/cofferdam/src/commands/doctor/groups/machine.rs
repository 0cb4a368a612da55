//! Kernel, tools and clock.

use super::super::finding::Seen;
use super::super::scene::Scene;

/// First bubblewrap that binds by descriptor.
const BINDS_BY_DESCRIPTOR: [u32; 2] = [0, 10];
/// What the pages with secrets of one run take at most, in bytes: a few logins, keys, and what they are written into.
const SECRETS: u64 = 256 * 1024;
/// How far apart clocks may be, in ms.
const SLACK_MS: i64 = 5 * 60 * 1000;

pub(crate) fn home(scene: &Scene) -> Vec<Seen> {
    let user = &scene.looked.facts.user;
    let Some(home) = &user.home else {
        return vec![Seen::new("neither `HOME` nor the user database names a home folder")];
    };
    match scene.home_owner {
        Some(owner) if owner != user.uid => {
            vec![Seen::new(format!("`{home}` belongs to uid {owner}, and you are uid {}", user.uid))]
        }
        Some(_) if !user.home_writable => vec![Seen::new(format!("`{home}` cannot be written"))],
        Some(_) => Vec::new(),
        None => vec![Seen::new(format!("`{home}` is not there"))],
    }
}

pub(crate) fn userns(scene: &Scene) -> Vec<Seen> {
    let facts = &scene.looked.facts;
    let mut seen = Vec::new();
    if facts.user_namespaces.max == Some(0) {
        seen.push(Seen::new("`user.max_user_namespaces` is 0"));
    }
    if facts.user_namespaces.unprivileged_clone == Some(false) && facts.user.uid != 0 {
        let command = "`sudo sysctl -w kernel.unprivileged_userns_clone=1`";
        seen.push(Seen::new("`kernel.unprivileged_userns_clone` is 0").command(command));
    }
    seen
}

pub(crate) fn apparmor(scene: &Scene) -> Vec<Seen> {
    let facts = &scene.looked.facts;
    let restricts = facts.user_namespaces.apparmor_restricts == Some(true) && facts.user.uid != 0;
    let text = "`kernel.apparmor_restrict_unprivileged_userns` is 1";
    if restricts { vec![Seen::new(text)] } else { Vec::new() }
}

pub(crate) fn limits(scene: &Scene) -> Vec<Seen> {
    let unheld = coffer_plan::derive::unheld(&scene.looked.facts).into_iter();
    unheld
        .map(|unheld| Seen::new(format!("{}: {}", unheld.limit, unheld.reason)).command(unheld.fix))
        .collect()
}

pub(crate) fn swapped(scene: &Scene) -> Vec<Seen> {
    match scene.lockable {
        // Root may lock as much as it likes.
        Some(bytes) if scene.swaps && bytes < SECRETS && scene.looked.facts.user.uid != 0 => {
            vec![Seen::new(format!("{} KiB may be locked, and the machine swaps", bytes / 1024))]
        }
        Some(_) | None => Vec::new(),
    }
}

pub(crate) fn bwrap_missing(scene: &Scene) -> Vec<Seen> {
    match &scene.looked.facts.bubblewrap {
        Some(_) => Vec::new(),
        None => vec![Seen::new("`bwrap` is not on the PATH")],
    }
}

pub(crate) fn bwrap_old(scene: &Scene) -> Vec<Seen> {
    let Some(tool) = &scene.looked.facts.bubblewrap else { return Vec::new() };
    let Some(version) = &tool.version else {
        return vec![Seen::new(format!("`{}` does not tell its version", tool.path))];
    };
    match numbers(version).as_slice() < BINDS_BY_DESCRIPTOR.as_slice() {
        true => vec![Seen::new(format!("`{}` is version {version}", tool.path))],
        false => Vec::new(),
    }
}

pub(crate) fn agent_missing(scene: &Scene) -> Vec<Seen> {
    let agent = &scene.looked.agent;
    match &scene.looked.facts.agent {
        Some(_) => Vec::new(),
        None => {
            let program = agent.command.first().map_or("", String::as_str);
            let seen = Seen::new(format!("`{program}` is not on the PATH"));
            vec![agent.install_hint.iter().fold(seen, |seen, hint| seen.command(format!("`{hint}`")))]
        }
    }
}

pub(crate) fn agent_version(scene: &Scene) -> Vec<Seen> {
    let looked = &scene.looked;
    let Some(agent) = &looked.facts.agent else { return Vec::new() };
    let Some(version) = &agent.version else {
        return vec![Seen::new(format!("the version of `{}` cannot be told", agent.path))];
    };
    match &looked.agent.login {
        Some(layout) if layout.refresh_rule(version).is_none() => {
            let first = layout.refreshes.first().map_or("a newer one", |rule| rule.since.as_str());
            let text =
                format!("version {version} is not used to refresh; from {first} on it was measured how");
            vec![Seen::new(text)]
        }
        Some(_) | None => Vec::new(),
    }
}

pub(crate) fn hazard(scene: &Scene) -> Vec<Seen> {
    let Some(version) = scene.looked.facts.agent.as_ref().and_then(|agent| agent.version.as_deref()) else {
        return Vec::new();
    };
    let is_one =
        |since: &str, before: &str| numbers(since) <= numbers(version) && numbers(version) < numbers(before);
    let hazards = scene.looked.agent.hazards.iter().filter(|hazard| is_one(&hazard.since, &hazard.before));
    hazards
        .map(|hazard| Seen::new(format!("version {version}: {}", hazard.text)).command(&hazard.fix))
        .collect()
}

/// A version as numbers, so that 2.1.9 comes before 2.1.10.
fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// Nothing outside is asked: what was written before now tells.
pub(crate) fn clock(scene: &Scene) -> Vec<Seen> {
    let now = scene.looked.facts.now_ms;
    let ahead = scene.marks.iter().filter(|(_, mark)| mark.saturating_sub(now) > SLACK_MS);
    let latest = ahead.max_by_key(|(_, mark)| *mark);
    let seen = latest.map(|(what, mark)| {
        let minutes = mark.saturating_sub(now) / 60_000;
        Seen::new(format!("{what} is dated {minutes} min after the clock"))
    });
    seen.into_iter().collect()
}
