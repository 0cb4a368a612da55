//! `coffer account use`: the user's choice of an account, in the user's own config file. Comments, order and
//! everything else in it stay.

use coffer_account::accounts::Accounts;
use coffer_account::layout::AccountName;
use coffer_plan::facts::HostFacts;
use toml_edit::{Item, Table, value};

use crate::cli::AccountUseCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;
use crate::user_config::{self, PROJECTS};

const KEY: &str = "account";

pub(super) fn choose(
    command: &AccountUseCommand,
    facts: &HostFacts,
    printer: &Printer,
) -> Result<u8, Failure> {
    let name = super::name(&command.name)?;
    if !name.is_host() {
        Accounts::of(&facts.folders.data).existing(&name).map_err(Error::Accounts)?;
    }
    let project = command.here.then(|| facts.project.path.to_string());
    let (path, mut document) = user_config::read(facts)?;
    match &project {
        None => set(document.as_table_mut(), &name),
        Some(project) => {
            let here = user_config::of_project(&path, &mut document, project)?;
            match here.get_mut(KEY) {
                Some(item) => replace(item, &name),
                None => drop(here.insert(KEY, value(name.as_str()))),
            }
        }
    }
    user_config::write(&path, &document)?;
    let place = project.as_deref().map_or_else(String::new, |project| format!(" in {project}"));
    printer.tell(&format!("`{name}` is used from now on{place} ({path})\n"));
    super::changed(facts, &name, ("chosen", project.as_deref()), command.json, printer)?;
    Ok(0)
}

/// Lets the user's choices follow a renamed account; whether there were any.
pub(super) fn follow(facts: &HostFacts, old: &AccountName, new: &AccountName) -> Result<bool, Error> {
    let (path, mut document) = user_config::read(facts)?;
    let mut followed = false;
    let mut rename = |item: Option<&mut Item>| {
        if let Some(item) = item
            && item.as_str() == Some(old.as_str())
        {
            replace(item, new);
            followed = true;
        }
    };
    rename(document.get_mut(KEY));
    for group in [PROJECTS, "profile"] {
        let Some(tables) = document.get_mut(group).and_then(Item::as_table_like_mut) else { continue };
        for (_, table) in tables.iter_mut() {
            rename(table.as_table_like_mut().and_then(|table| table.get_mut(KEY)));
        }
    }
    if followed {
        user_config::write(&path, &document)?;
    }
    Ok(followed)
}

/// A value anew, with the comment that stands beside it.
fn replace(item: &mut Item, name: &AccountName) {
    let decor = item.as_value().map(|value| value.decor().clone());
    *item = value(name.as_str());
    if let (Some(value), Some(decor)) = (item.as_value_mut(), decor) {
        *value.decor_mut() = decor;
    }
}

/// Sets the key in the document's own table, whose keys stand before all other tables.
fn set(table: &mut Table, name: &AccountName) {
    match table.get_mut(KEY) {
        Some(item) => replace(item, name),
        None => drop(table.insert(KEY, value(name.as_str()))),
    }
}
