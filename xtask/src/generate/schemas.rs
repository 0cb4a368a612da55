//! The JSON schemas of what other programs read.

use crate::error::Error;
use crate::tree::Tree;

use super::Page;

pub(super) fn pages(_tree: &Tree) -> Result<Vec<Page>, Error> {
    let plan = coffer_plan::show::json::schema();
    Ok(vec![Page { path: "docs/reference/plan.schema.json".to_owned(), contents: format!("{plan:#}\n") }])
}
