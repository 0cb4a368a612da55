//! The user's config file as commands write it: comments, order and everything else in it stay.

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::config::parse_user;
use coffer_plan::facts::HostFacts;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use crate::error::Error;
use crate::store;

/// The key of what is said for one project.
pub(crate) const PROJECTS: &str = "project";

/// The file, empty where there is none. A link to it, as from a folder of dot files, stays.
pub(crate) fn read(facts: &HostFacts) -> Result<(Utf8PathBuf, DocumentMut), Error> {
    let path = &facts.folders.config;
    let path = path.canonicalize_utf8().unwrap_or_else(|_| path.clone());
    let text = coffer_host::read_config(&path)?.unwrap_or_default();
    parse_user(path.as_str(), &text)?;
    let document = text.parse::<DocumentMut>();
    let document = document.map_err(|_| Error::ConfigUnfit { path: path.clone(), key: "TOML".to_owned() })?;
    Ok((path, document))
}

/// What is said for a project, made where it is missing.
pub(crate) fn of_project<'a>(
    path: &Utf8Path,
    document: &'a mut DocumentMut,
    project: &str,
) -> Result<&'a mut dyn TableLike, Error> {
    let broken = |key: &str| Error::ConfigUnfit { path: path.to_owned(), key: key.to_owned() };
    let projects = document.entry(PROJECTS).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let projects = projects.as_table_like_mut().ok_or_else(|| broken(PROJECTS))?;
    let here = projects.entry(project).or_insert_with(|| Item::Table(Table::new()));
    here.as_table_like_mut().ok_or_else(|| broken(project))
}

/// Writes it, if it reads.
pub(crate) fn write(path: &Utf8PathBuf, document: &DocumentMut) -> Result<(), Error> {
    let text = document.to_string();
    // What would not read is not written.
    parse_user(path.as_str(), &text)?;
    store::replace(path, &text)
}
