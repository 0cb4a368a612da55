//! What was found where, and whether the auth mode has it there.

use std::collections::{BTreeMap, BTreeSet};

use coffer_plan::agent::{Agent, CredentialOrigin};
use coffer_plan::derive::{LEASE, SHARED};
use coffer_plan::plan::{AuthMode, Plan};

use super::canary::{ACCESS_TOKEN, REFRESH_TOKEN};
use super::document::{Control, Found, From};
use super::search::{Hit, Searched, Secret};
use crate::sight::Kind;

/// Where a canary may be seen in this run.
pub(crate) struct Rules {
    auth: AuthMode,
    /// Variables that bring a credential, by the plan.
    variables: Vec<String>,
    /// The login's file, as it is called inside or in the run's folder.
    file: Option<String>,
    /// Headers in which the agent shows a credential.
    headers: Vec<String>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) exposed: Vec<Found>,
    pub(crate) leaks: Vec<Found>,
    pub(crate) control: Control,
}

impl Rules {
    pub(crate) fn of(plan: &Plan, agent: &Agent) -> Self {
        let of_env = agent.credentials.iter().filter(|rule| rule.from == CredentialOrigin::Env);
        let in_plan = |name: &String| plan.environment.iter().any(|entry| entry.name == *name);
        Self {
            auth: plan.credential.mode,
            variables: of_env.map(|rule| rule.source.clone()).filter(in_plan).collect(),
            file: agent.login.as_ref().map(|login| login.file.clone()),
            headers: agent
                .credentials
                .iter()
                .flat_map(|rule| &rule.headers)
                .map(|header| format!("header {}", header.to_ascii_lowercase()))
                .collect(),
        }
    }

    /// What the API is shown by the gateway never was in the sandbox.
    fn is_the_gateways(&self, from: From, hit: &Hit) -> bool {
        self.auth == AuthMode::Gateway && from == From::Api && self.headers.contains(&hit.place.name)
    }

    /// Whether a part of a credential is there because the auth mode has it there.
    fn has_it_there(&self, what: &str, hit: &Hit) -> bool {
        if matches!(self.auth, AuthMode::Gateway | AuthMode::None) {
            return false;
        }
        let of_login = what == ACCESS_TOKEN || what == REFRESH_TOKEN;
        let shared = self.auth == AuthMode::Shared;
        if what == REFRESH_TOKEN && !shared {
            return false;
        }
        match hit.place.kind {
            Kind::Memory => true,
            Kind::Request => self.headers.contains(&hit.place.name),
            Kind::Variable => !of_login && self.variables.contains(&hit.place.name),
            Kind::File | Kind::Descriptor => of_login && self.is_login(&hit.place.name),
            // A connection to the API without TLS.
            Kind::Connection => false,
            Kind::CommandLine | Kind::Process | Kind::Names | Kind::Output => false,
        }
    }

    fn is_login(&self, path: &str) -> bool {
        let Some(file) = &self.file else { return false };
        let lease = [format!("{LEASE}/{file}"), format!("/lease/{file}")];
        lease.iter().any(|lease| path.ends_with(lease.as_str()))
            || (self.auth == AuthMode::Shared && path.starts_with(SHARED))
    }
}

/// Judges what was found; the last of the secrets is the mark.
pub(crate) fn judge(rules: &Rules, secrets: &[Secret], seen: &[(From, &Searched)]) -> Verdict {
    let mark = secrets.len().saturating_sub(1);
    let mut out = Verdict::default();
    let mut groups: BTreeMap<Group, Gathered> = BTreeMap::new();
    for (from, searched) in seen {
        for (hit, whole) in &searched.hits {
            if hit.secret == mark {
                control(&mut out.control, hit.place.kind, *from);
                continue;
            }
            let Some(secret) = secrets.get(hit.secret) else { continue };
            if rules.is_the_gateways(*from, hit) {
                continue;
            }
            let expected = rules.has_it_there(secret.what, hit);
            let (kind, name) = (hit.place.kind, named(hit));
            let group = Group { expected, secret: hit.secret, from: *from, kind, name };
            let gathered = groups.entry(group).or_default();
            gathered.whole |= *whole;
            gathered.forms.insert(hit.form);
            gathered.processes.extend(hit.place.process.as_ref().map(|(_, comm)| comm.clone()));
            gathered.places.insert((
                hit.place.process.as_ref().map(|(pid, _)| *pid),
                hit.place.name.clone(),
                hit.place.at,
            ));
        }
    }
    for (group, gathered) in groups {
        let Some(secret) = secrets.get(group.secret) else { continue };
        let found = Found {
            what: secret.what.to_owned(),
            fingerprint: secret.fingerprint(),
            length: secret.bytes.len() as u64,
            forms: gathered.forms.into_iter().map(str::to_owned).collect(),
            whole: gathered.whole,
            seen_from: group.from,
            kind: group.kind,
            name: group.name,
            processes: gathered.processes.into_iter().collect(),
            places: gathered.places.len() as u64,
        };
        if group.expected { out.exposed.push(found) } else { out.leaks.push(found) }
    }
    out
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    expected: bool,
    secret: usize,
    from: From,
    kind: Kind,
    name: String,
}

#[derive(Default)]
struct Gathered {
    forms: BTreeSet<&'static str>,
    whole: bool,
    processes: BTreeSet<String>,
    places: BTreeSet<(Option<u32>, String, u64)>,
}

/// The parts of a process's memory count as one place.
fn named(hit: &Hit) -> String {
    match (&hit.place.kind, &hit.place.process) {
        (Kind::Memory, Some((_, comm))) => format!("memory of `{comm}`"),
        _ => hit.place.name.clone(),
    }
}

fn control(control: &mut Control, kind: Kind, from: From) {
    match (kind, from) {
        (Kind::Variable, From::Inside) => control.variable = true,
        (Kind::Memory, From::Inside) => control.memory = true,
        (Kind::File, From::Inside) => control.file = true,
        (Kind::Connection, From::Boundary) => control.connection = true,
        _ => {}
    }
}

impl Control {
    /// Whether the search was able to find.
    pub(crate) fn is_found(self) -> bool {
        self.variable && self.memory && self.file && self.connection
    }
}
