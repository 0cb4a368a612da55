//! A machine for unit tests: ada's, signed in, as the golden folder `plain` has it; and root's.

use camino::Utf8Path;

use crate::agent::CredentialKind;
use crate::built_in;
use crate::check::check;
use crate::config::{Flags, Layers, Merged, ProjectFile, Trust, UserFile, merge, parse_project, parse_user};
use crate::derive::derive;
use crate::facts::{AccountFact, EnvFact, HostFacts, PathFact, PathKind};
use crate::plan::{AuthMode, CheckedPlan, EnvEntry, EnvValue, Mount, Plan, PlanError};
use crate::policy::{Inputs, Policy, PolicyError, resolve};

/// The user's config file.
pub(crate) const CONFIG: &str = "/home/ada/.config/cofferdam/config.toml";

/// A machine and what was said on it.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) facts: HostFacts,
    pub(crate) user: UserFile,
    pub(crate) project: Option<(ProjectFile, bool)>,
    pub(crate) flags: Flags,
    pub(crate) trust: Trust,
}

impl Machine {
    /// An ordinary user, signed in, with the CLI that knows a login folder of its own.
    pub(crate) fn ada() -> Self {
        Self::new(include_str!("../tests/golden/plain/facts.json"))
    }

    /// The same with a project in which the host would run things later.
    pub(crate) fn deferred() -> Self {
        Self::new(include_str!("../tests/golden/deferred/facts.json"))
    }

    /// The same for root.
    pub(crate) fn root() -> Self {
        Self::new(include_str!("../tests/golden/root/facts.json"))
    }

    fn new(facts: &str) -> Self {
        Self {
            facts: serde_json::from_str(facts).unwrap(),
            user: UserFile::default(),
            project: None,
            flags: Flags::default(),
            trust: Trust::default(),
        }
    }

    /// With this config file of the user's.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.user = parse_user(CONFIG, text).unwrap();
        self
    }

    /// With this file of the project's.
    pub(crate) fn project(mut self, text: &str, trusted: bool) -> Self {
        self.project = Some((parse_project(".coffer.toml", text).unwrap(), trusted));
        self
    }

    /// With this on the command line.
    pub(crate) fn flags(mut self, say: impl FnOnce(&mut Flags)) -> Self {
        say(&mut self.flags);
        self
    }

    /// With `--mount` for each of these.
    pub(crate) fn mount(mut self, specs: &[&str]) -> Self {
        let specs = specs.iter().map(|spec| crate::config::MountSpec::parse(spec).unwrap());
        self.flags.settings.mounts.extend(specs);
        self
    }

    /// With something at this path, readable by everybody.
    pub(crate) fn has(self, path: &str, kind: PathKind) -> Self {
        self.has_at(path, path, kind, 0o755)
    }

    /// With a link at `path` to something at `resolved`.
    pub(crate) fn has_link(mut self, path: &str, resolved: &str, kind: PathKind) -> Self {
        self = self.has(resolved, kind).has_at(path, resolved, kind, 0o755);
        self.facts.paths.get_mut(Utf8Path::new(path)).unwrap().link = Some(resolved.to_owned());
        self
    }

    /// With something at this path, with these permission bits.
    pub(crate) fn has_at(mut self, path: &str, resolved: &str, kind: PathKind, mode: u32) -> Self {
        let ino = self.facts.path(Utf8Path::new(resolved)).map_or(5000, |fact| fact.ino);
        let ino = if ino == 5000 { 5000 + self.facts.paths.len() as u64 } else { ino };
        let fact = PathFact { kind, resolved: resolved.into(), link: None, dev: 2049, ino, uid: 1000, mode };
        self.facts.paths.insert(path.into(), fact);
        self
    }

    /// With this variable of the environment set to something that is not public.
    pub(crate) fn secret_env(mut self, name: &str) -> Self {
        self.facts.environment.insert(name.to_owned(), EnvFact::Redacted("set".to_owned()));
        self
    }

    /// With the account `work` of this kind, chosen by a flag.
    pub(crate) fn account(mut self, kind: CredentialKind) -> Self {
        let parent = Utf8Path::new("/home/ada/.local/share/cofferdam/accounts/work/login");
        let login = self.facts.login.as_mut().unwrap();
        login.folder = parent.join("store");
        login.file = login.folder.join(".credentials.json");
        login.found_by = "account work".to_owned();
        login.folder_uid_mode = Some((self.facts.user.uid, 0o700));
        self.facts.account = Some(AccountFact {
            name: "work".to_owned(),
            agent: "claude".to_owned(),
            kind,
            login_parent: Some(parent.to_owned()),
            marker_matches: Some(true),
            refused: None,
            has_secret: true,
            created_at_ms: self.facts.now_ms,
            helper: None,
            base_url: None,
            model: None,
            timeout_ms: None,
        });
        self.flags(|flags| flags.settings.account = Some("work".to_owned()))
    }

    /// With another fact about the account.
    pub(crate) fn of_account(self, change: impl FnOnce(&mut AccountFact)) -> Self {
        self.with(|facts| change(facts.account.as_mut().unwrap()))
    }

    /// With `--auth`.
    pub(crate) fn auth(self, mode: AuthMode) -> Self {
        self.flags(|flags| flags.settings.auth = Some(mode))
    }

    /// With other facts.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut HostFacts)) -> Self {
        change(&mut self.facts);
        self
    }

    pub(crate) fn layers(&self) -> Layers {
        let path = self.facts.project.path.clone();
        let project = self.project.clone();
        Layers {
            built_in_profiles: built_in::profiles().unwrap(),
            user: self.user.clone(),
            project: project.map(|(file, trusted)| (path.join(".coffer.toml"), file, trusted)),
            project_path: path,
            flags: self.flags.clone(),
        }
    }

    pub(crate) fn merged(&self) -> Merged {
        merge(&self.layers()).unwrap()
    }

    pub(crate) fn inputs(&self) -> Inputs {
        Inputs {
            agent: built_in::agent(&self.merged().agent.value).unwrap(),
            all_agents: built_in::agents().unwrap().into_values().collect(),
            system: built_in::system().unwrap(),
            secrets: built_in::secrets().unwrap(),
            system_calls: built_in::system_calls().unwrap(),
            trust: self.trust.clone(),
            tools: built_in::tools().unwrap(),
            deferred: built_in::deferred().unwrap(),
        }
    }

    pub(crate) fn resolved(&self) -> Result<Policy, Vec<PolicyError>> {
        resolve(self.merged(), &self.flags, self.inputs(), &self.facts)
    }

    pub(crate) fn policy(&self) -> Policy {
        self.resolved().unwrap()
    }

    pub(crate) fn derived(&self) -> Result<Plan, Vec<PlanError>> {
        derive(&self.policy(), &self.facts)
    }

    pub(crate) fn checked(&self) -> Result<CheckedPlan, Vec<PlanError>> {
        check(self.derived()?, &self.policy(), &self.facts)
    }

    /// The checked plan, which there has to be.
    pub(crate) fn plan(&self) -> CheckedPlan {
        self.checked().unwrap_or_else(|errors| panic!("refused: {errors:?}"))
    }

    /// Why there is no plan.
    pub(crate) fn refusals(&self) -> Vec<PlanError> {
        self.checked().err().unwrap_or_default()
    }

    /// The codes of why there is no plan.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.refusals().iter().map(PlanError::code).collect()
    }
}

/// What a plan says about a variable.
pub(crate) fn variable<'a>(plan: &'a Plan, name: &str) -> Option<&'a EnvEntry> {
    plan.environment.iter().find(|entry| entry.name == name)
}

/// A variable's public value.
pub(crate) fn value<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    match &variable(plan, name)?.value {
        EnvValue::Value { value } => Some(value),
        EnvValue::Reference { .. } => None,
    }
}

/// The mounts on a target, in order.
pub(crate) fn mounts_on<'a>(plan: &'a Plan, target: &str) -> Vec<&'a Mount> {
    plan.mounts.iter().filter(|mount| mount.target == target).collect()
}
