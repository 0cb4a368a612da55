//! `coffer trust`: what the project asks for, shown; trusted as long as its content stays the same.

use coffer_plan::config::Flags;
use coffer_plan::derive::named_by_project;
use coffer_plan::facts::{EnvFact, SettingsScope};
use coffer_plan::plan::NetworkTier;
use coffer_plan::policy::resolve;
use coffer_plan::show::audit::printable;

use crate::cli::TrustCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::prepare::gather;
use crate::printer::Printer;
use crate::store::{self, PROJECT_CONFIG, TrustedFile};

#[derive(serde::Serialize)]
struct Report {
    schema: u32,
    trusted: Vec<TrustedFile>,
}

pub(crate) fn trust(command: &TrustCommand, printer: &Printer) -> Result<u8, Failure> {
    // Only there it matters which hosts the project names.
    let mut flags = Flags::default();
    flags.settings.network = Some(NetworkTier::Dev);
    let gathered = gather(&flags, None)?;
    let (facts, known) = (&gathered.facts, &gathered.inputs.trust);
    let mut new: Vec<TrustedFile> = Vec::new();
    let mut text = String::new();
    if let Some(sha256) = &facts.project.config_sha256 {
        let file = facts.project.path.join(PROJECT_CONFIG);
        if !gathered.merged.proposals.is_empty() && !known.covers(&file, sha256) {
            text.push_str(&format!("{} asks for:\n", printable(file.as_str())));
            for proposal in &gathered.merged.proposals {
                text.push_str(&format!("  {}\n", printable(&proposal.text)));
            }
            new.push(TrustedFile { file, sha256: sha256.clone() });
        }
    }
    let in_project = facts.settings.iter().filter(|settings| settings.scope == SettingsScope::Project);
    for settings in in_project.filter(|settings| !settings.redirects.is_empty()) {
        if !known.covers(&settings.file, &settings.sha256) {
            text.push_str(&format!("{} sets:\n", printable(settings.file.as_str())));
            for key in &settings.redirects {
                let value = key.strip_prefix("env.").and_then(|name| settings.env.get(name));
                let shown = match value {
                    Some(EnvFact::Value(value)) => format!(" = {value}"),
                    Some(EnvFact::Redacted(label)) => format!(" ({label})"),
                    Some(EnvFact::Empty) => " (empty)".to_owned(),
                    None => String::new(),
                };
                text.push_str(&format!("  {}\n", printable(&format!("{key}{shown}"))));
            }
            new.push(TrustedFile { file: settings.file.clone(), sha256: settings.sha256.clone() });
        }
    }
    let policy =
        resolve(gathered.merged.clone(), &flags, gathered.inputs.clone(), facts).map_err(Error::Policy)?;
    for named in named_by_project(&policy, facts) {
        if !named.trusted && !named.new.is_empty() {
            text.push_str(&format!("{} names hosts:\n", printable(named.file.as_str())));
            for host in &named.hosts {
                text.push_str(&format!("  {}\n", printable(&host.to_string())));
            }
            new.push(TrustedFile { file: named.file, sha256: named.sha256 });
        }
    }
    if new.is_empty() {
        printer.tell("nothing here asks for trust\n");
    } else {
        printer.tell(&text);
        if !command.yes && printer.ask("trust exactly this content?") != Some(true) {
            return Err(Error::NeedsPerson("nothing was trusted").into());
        }
        store::add_trust(facts, &new)?;
        printer.tell("trusted, until it changes\n");
    }
    if command.json {
        printer.json(&Report { schema: 1, trusted: new })?;
    }
    Ok(0)
}
