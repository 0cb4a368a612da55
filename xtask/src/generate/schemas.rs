//! The JSON schemas of what other programs read.

use crate::error::Error;
use crate::tree::Tree;

use super::Page;

pub(super) fn pages(_tree: &Tree) -> Result<Vec<Page>, Error> {
    let plan = coffer_plan::show::json::schema();
    let status = cofferdam::status_schema();
    let schemas = [
        ("plan", plan),
        ("status", status),
        ("doctor", cofferdam::doctor_schema()),
        ("attack", cofferdam::attack_schema()),
        ("leaktest", cofferdam::leaktest_schema()),
    ];
    let page = |(name, schema): (&str, serde_json::Value)| Page {
        path: format!("docs/reference/{name}.schema.json"),
        contents: format!("{schema:#}\n"),
    };
    Ok(schemas.map(page).into())
}
