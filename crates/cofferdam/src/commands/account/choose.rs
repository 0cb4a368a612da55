//! `coffer account use`: the user's choice of an account, in the user's own config file. Comments, order and
//! everything else in it stay.

use camino::Utf8PathBuf;
use coffer_account::accounts::Accounts;
use coffer_account::layout::AccountName;
use coffer_plan::config::parse_user;
use coffer_plan::facts::HostFacts;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::cli::AccountUseCommand;
use crate::error::Error;
use crate::exit::Failure;
use crate::printer::Printer;
use crate::store;

const KEY: &str = "account";
const PROJECTS: &str = "project";

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
    let (path, mut document) = read(facts)?;
    match &project {
        None => set(document.as_table_mut(), &name),
        Some(project) => {
            let broken = |key: &str| Error::ConfigUnfit { path: path.clone(), key: key.to_owned() };
            let projects = document.entry(PROJECTS).or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            });
            let projects = projects.as_table_like_mut().ok_or_else(|| broken(PROJECTS))?;
            let here = projects.entry(project).or_insert_with(|| Item::Table(Table::new()));
            let here = here.as_table_like_mut().ok_or_else(|| broken(project))?;
            match here.get_mut(KEY) {
                Some(item) => replace(item, &name),
                None => drop(here.insert(KEY, value(name.as_str()))),
            }
        }
    }
    write(&path, &document)?;
    let place = project.as_deref().map_or_else(String::new, |project| format!(" in {project}"));
    printer.tell(&format!("`{name}` is used from now on{place} ({path})\n"));
    super::changed(facts, &name, ("chosen", project.as_deref()), command.json, printer)?;
    Ok(0)
}

/// Lets the user's choices follow a renamed account; whether there were any.
pub(super) fn follow(facts: &HostFacts, old: &AccountName, new: &AccountName) -> Result<bool, Error> {
    let (path, mut document) = read(facts)?;
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
        write(&path, &document)?;
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

/// The user's config file, empty where there is none. A link to it, as from a folder of dot files, stays.
fn read(facts: &HostFacts) -> Result<(Utf8PathBuf, DocumentMut), Error> {
    let path = &facts.folders.config;
    let path = path.canonicalize_utf8().unwrap_or_else(|_| path.clone());
    let text = coffer_host::read_config(&path)?.unwrap_or_default();
    parse_user(path.as_str(), &text)?;
    let document = text.parse::<DocumentMut>();
    let document = document.map_err(|_| Error::ConfigUnfit { path: path.clone(), key: "TOML".to_owned() })?;
    Ok((path, document))
}

fn write(path: &Utf8PathBuf, document: &DocumentMut) -> Result<(), Error> {
    let text = document.to_string();
    // What would not read is not written.
    parse_user(path.as_str(), &text)?;
    store::replace(path, &text)
}
