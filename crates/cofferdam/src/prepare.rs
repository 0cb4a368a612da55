//! From what was said to a checked plan: the only caller of collect, merge, resolve, derive, check and
//! lower.

use std::net::SocketAddr;

use camino::{Utf8Path, Utf8PathBuf};
use coffer_account::layout::{AccountFolder, AccountName};
use coffer_host::{look_up, read_config, read_project_config};
use coffer_launch::launch::Launch;
use coffer_plan::agent::Agent;
use coffer_plan::config::{
    AuditMode, Flags, KeyDecisions, Layers, LimitWishes, Merged, Settings, merge, parse_project, parse_user,
};
use coffer_plan::derive::Alone;
use coffer_plan::facts::{DeferredQuestion, HostFacts, ProjectFacts};
use coffer_plan::host::{Host, HostRule};
use coffer_plan::origin::{Decided, Origin, OriginLayer};
use coffer_plan::path::PathTemplate;
use coffer_plan::plan::{AuthMode, CheckedPlan, NetworkTier, StateMode};
use coffer_plan::policy::{Inputs, Policy, default_image, resolve};
use coffer_plan::{built_in, check, derive};

use crate::companion::inventory::Watch;
use crate::error::Error;
use crate::sight::probe;
use crate::{account_facts, store};

/// A plan, and what it was made of.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) facts: HostFacts,
    pub(crate) policy: Policy,
    pub(crate) plan: CheckedPlan,
    pub(crate) audit: coffer_plan::config::AuditMode,
}

/// What was said and seen before a plan is made of it.
pub(crate) struct Gathered {
    pub(crate) facts: HostFacts,
    pub(crate) merged: Merged,
    pub(crate) inputs: Inputs,
}

/// Reads the machine and the config files. `saved` stands for the machine if given.
pub(crate) fn gather(flags: &Flags, saved: Option<HostFacts>) -> Result<Gathered, Error> {
    gather_for(flags, saved, |agent| agent)
}

/// The same, for a run of the agent that is another in some respect.
fn gather_for(
    flags: &Flags,
    saved: Option<HostFacts>,
    changed: impl FnOnce(Agent) -> Agent,
) -> Result<Gathered, Error> {
    match saved {
        Some(facts) => gather_on(facts, true, flags, changed),
        None => gather_on(coffer_host::base()?, false, flags, changed),
    }
}

/// The same, on a machine whose first facts are known.
fn gather_on(
    mut facts: HostFacts,
    is_saved: bool,
    flags: &Flags,
    changed: impl FnOnce(Agent) -> Agent,
) -> Result<Gathered, Error> {
    let mut layers = Layers {
        built_in_profiles: built_in::profiles()?,
        project_path: facts.project.path.clone(),
        flags: flags.clone(),
        ..Layers::default()
    };
    match read_config(&facts.folders.config)? {
        Some(text) => layers.user = parse_user(facts.folders.config.as_str(), &text)?,
        // A restriction in a file whose name is misspelt would be no restriction.
        None if !is_saved && coffer_host::variable("COFFER_CONFIG").is_some_and(|path| !path.is_empty()) => {
            return Err(Error::ConfigMissing { path: facts.folders.config.clone() });
        }
        None => {}
    }
    let trust = store::trust(&facts)?;
    if facts.project.config_sha256.is_some() {
        let path = facts.project.path.join(store::PROJECT_CONFIG);
        // The hash of the very text that is used: an agent could exchange the file between two reads.
        let text = read_project_config(&path)?;
        facts.project.config_sha256 = text.as_ref().map(|text| coffer_plan::config::fingerprint(text));
        if let (Some(text), Some(sha256)) = (text, &facts.project.config_sha256) {
            let trusted = trust.covers(&path, sha256);
            layers.project = Some((path.clone(), parse_project(path.as_str(), &text)?, trusted));
        }
    }
    let merged = merge(&layers)?;
    let agent = agent(&merged.agent.value, &facts)?;
    let mut all_agents: Vec<Agent> = built_in::agents()?.into_values().collect();
    all_agents.push(agent.clone());
    let agent = changed(agent);
    let inputs = Inputs {
        agent,
        all_agents,
        system: built_in::system()?,
        secrets: built_in::secrets()?,
        system_calls: built_in::system_calls()?,
        trust,
        tools: built_in::tools()?,
        deferred: built_in::deferred()?,
    };
    if !is_saved {
        let questions = inputs.questions(&merged, flags, &facts);
        look_up(&mut facts, &questions);
        let backend = merged.backend.value;
        if backend.is_engine() {
            let image = merged.image.as_ref().map(|image| image.value.clone());
            let image = image.unwrap_or_else(|| default_image(&inputs.agent).value);
            coffer_host::look_up_engine(&mut facts, backend, &image);
        }
        account_facts::look_up(&mut facts, &merged.account.value, &inputs.agent)?;
        if merged.state.value == StateMode::Copy && inputs.agent.state.is_some() {
            let state = derive::state_of_project(&facts, &inputs.agent.name);
            facts.working_copy = Some(coffer_launch::run::look_at_state(&state)?);
        }
    }
    Ok(Gathered { facts, merged, inputs })
}

/// The account that was named, or else the one that a run here would use.
pub(crate) fn chosen_account(named: Option<&str>) -> Result<String, Error> {
    match named {
        Some(name) => Ok(name.to_owned()),
        None => Ok(gather(&Flags::default(), None)?.merged.account.value),
    }
}

/// Makes the plan.
pub(crate) fn prepare(flags: &Flags, saved: Option<HostFacts>) -> Result<Prepared, Error> {
    plan(gather(flags, saved)?, flags)
}

/// Makes the plan of a sign-in: no credential and nothing of the user's configuration of the agent is inside.
/// With `debug` the agent writes its own log into its state, where it can.
pub(crate) fn prepare_sign_in(flags: &Flags, debug: bool) -> Result<Prepared, Error> {
    let mut gathered = gather_for(flags, None, Agent::for_sign_in)?;
    // The browser comes back to a port of this machine, and nobody else's words are at work in this sandbox. To a container's
    // loopback no browser comes back: there the code is pasted, and the API's own hosts are enough.
    let tier = if gathered.merged.backend.value.is_engine() { NetworkTier::Agent } else { NetworkTier::Full };
    let network = &mut gathered.merged.network;
    if network.origin.layer == OriginLayer::BuiltIn {
        *network = Decided::new(tier, Origin::built_in("sign-in"));
    }
    // It goes on in this process, so no scope can be made for it; what files say about limits is about runs.
    gathered.facts.cgroups.user_manager = None;
    gathered.merged.limits = LimitWishes::default();
    let agent = &gathered.inputs.agent;
    let layout = agent.login.as_ref().and_then(|login| login.sign_in.as_ref()).filter(|_| debug);
    let home = agent.state.as_ref().and_then(|state| state.home.expand(&gathered.facts));
    for (name, value) in layout.iter().flat_map(|layout| &layout.debug_env) {
        let value = value.replace("${state}", home.as_deref().map_or("", Utf8Path::as_str));
        gathered.merged.env_set.push(Decided::new((name.clone(), value), Origin::flag("--debug-log")));
    }
    gathered.merged.keys = KeyDecisions::none();
    let credentials = &gathered.inputs.agent.credentials;
    let is_credential = |name: &String| credentials.iter().any(|rule| rule.source == *name);
    gathered.merged.env_pass.retain(|entry| !is_credential(&entry.value));
    plan(gathered, flags)
}

/// How a run that is tested for leaks differs from the user's.
pub(crate) struct Tested {
    /// The names of the API, and where they lead.
    pub(crate) upstream: Vec<(Host, SocketAddr)>,
    /// The certificate authority of the practice API.
    pub(crate) ca: Utf8PathBuf,
}

/// Makes the plan of a run that is tested for leaks: its API is the practice API, and the command is started by the
/// program that looks around.
pub(crate) fn prepare_tested(flags: &Flags, tested: Tested) -> Result<Prepared, Error> {
    let mut gathered = gather(flags, None)?;
    let origin = || Origin::flag("leaktest");
    let merged = &mut gathered.merged;
    merged.upstream.retain(|entry| tested.upstream.iter().all(|(name, _)| *name != entry.value.0));
    merged.upstream.extend(tested.upstream.into_iter().map(|entry| Decided::new(entry, origin())));
    merged.ca_file = Some(Decided::new(PathTemplate(tested.ca.into_string()), origin()));
    let Gathered { facts, merged, inputs } = gathered;
    let audit = merged.audit.value;
    let mut policy = resolve(merged, flags, inputs, &facts).map_err(Error::Policy)?;
    let program = facts.agent.as_ref().map(|agent| agent.install_root.to_string());
    let mut command = vec![derive::INIT.to_owned(), probe::VERB.to_owned()];
    let programs = program.into_iter().chain([derive::INIT.to_owned()]);
    command.extend(programs.flat_map(|program| [probe::LEAVE.to_owned(), program]));
    command.push(END_OF_OPTIONS.to_owned());
    command.append(&mut policy.command.value);
    policy.command.value = command;
    checked(policy, facts, audit)
}

/// What parts options from a command.
const END_OF_OPTIONS: &str = "--";

impl Prepared {
    /// What of the project is looked at again at the end of a run.
    pub(crate) fn watch(&self) -> Watch {
        let Policy { deferred: rules, scan, allow_write, .. } = &self.policy;
        Watch {
            question: DeferredQuestion { rules: rules.clone(), scan: scan.clone() },
            granted: allow_write.iter().map(|granted| granted.value.clone()).collect(),
        }
    }

    /// The command that the program which looks around starts.
    pub(crate) fn tested_command(&self) -> Vec<String> {
        let words = self.policy.command.value.iter().skip_while(|word| *word != END_OF_OPTIONS);
        words.skip(1).cloned().collect()
    }
}

fn plan(gathered: Gathered, flags: &Flags) -> Result<Prepared, Error> {
    let Gathered { facts, merged, inputs } = gathered;
    let audit = merged.audit.value;
    let policy = resolve(merged, flags, inputs, &facts).map_err(Error::Policy)?;
    checked(policy, facts, audit)
}

fn checked(policy: Policy, facts: HostFacts, audit: AuditMode) -> Result<Prepared, Error> {
    let plan = derive::derive(&policy, &facts).map_err(Error::Plan)?;
    let plan = check::check(plan, &policy, &facts).map_err(Error::Plan)?;
    Ok(Prepared { facts, policy, plan, audit })
}

/// What a gateway that stands alone needs for one account. Where it is started means nothing: what a project says, and
/// what the user has chosen for one, does not count; nor does what is about sandboxes.
pub(crate) fn prepare_alone(
    account: &AccountName,
    network: NetworkTier,
    allow: &[HostRule],
) -> Result<(HostFacts, Alone), Error> {
    let mut facts = coffer_host::base()?;
    let nowhere = facts.folders.data.join("gateway");
    facts.project = ProjectFacts {
        path: nowhere.clone(),
        start: nowhere,
        uid: facts.user.uid,
        git: None,
        config_sha256: None,
    };
    let record = account_facts::record(&AccountFolder::new(&facts.folders.data, account))?;
    let settings = Settings {
        agent: record.map(|record| record.agent),
        account: Some(account.to_string()),
        auth: Some(AuthMode::Gateway),
        network: Some(network),
        state: Some(StateMode::Fresh),
        allow: allow.to_vec(),
        ..Settings::default()
    };
    let flags = Flags { settings, ..Flags::default() };
    let Gathered { facts, mut merged, inputs } = gather_on(facts, false, &flags, |agent| agent)?;
    for paths in [&mut merged.path, &mut merged.hide, &mut merged.readonly, &mut merged.expose] {
        paths.clear();
    }
    merged.keys = KeyDecisions::none();
    merged.mounts.clear();
    merged.env_pass.clear();
    merged.env_set.clear();
    merged.forward.clear();
    merged.publish.clear();
    let policy = resolve(merged, &flags, inputs, &facts).map_err(Error::Policy)?;
    let alone = derive::alone(&policy, &facts).map_err(Error::Plan)?;
    Ok((facts, alone))
}

/// Lowers a plan to a launch on its backend.
pub(crate) fn lower(prepared: &Prepared) -> Result<Launch, Error> {
    Ok(coffer_launch::backend::lower(&prepared.plan, &prepared.facts)?)
}

/// An agent by name: the user's own data file, else a built-in one.
pub(crate) fn agent(name: &str, facts: &HostFacts) -> Result<Agent, Error> {
    let own = agent_file(name, facts);
    match own.map(|file| read_config(&file).map(|text| (file, text))).transpose()? {
        Some((file, Some(text))) => Ok(built_in::parse_agent(file.as_str(), &text)?),
        Some((_, None)) | None => Ok(built_in::agent(name)?),
    }
}

/// Where the user's own data file of an agent would be; `None` for names that are no plain words.
fn agent_file(name: &str, facts: &HostFacts) -> Option<Utf8PathBuf> {
    let plain = name.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character));
    let folder = facts.folders.config.parent()?;
    plain.then(|| folder.join("agents").join(format!("{name}.toml")))
}
