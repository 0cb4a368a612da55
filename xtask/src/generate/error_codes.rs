//! docs/reference/error-codes.md: every code that an error can carry, and what it stands for.
//!
//! A code is a string that a `fn code(&self)` gives for a variant; what it means is that variant's own doc
//! comment. Both are read from the source, so there is no second list to keep.

use std::collections::BTreeMap;

use syn::{Arm, Attribute, Expr, ExprLit, ImplItem, Item, Lit, Pat, Stmt, Type};

use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

/// Code → what it stands for, in the order of the source.
type Codes = BTreeMap<String, Vec<String>>;

pub(super) fn pages(tree: &Tree) -> Result<Vec<Page>, Error> {
    let mut codes = Codes::new();
    for file in tree.files()? {
        if !file.starts_with("crates/") || !file.contains("/src/") || !file.ends_with(".rs") {
            continue;
        }
        let text = tree.read(&file)?;
        if text.contains("fn code(&self)") {
            collect(&text, &mut codes).map_err(|source| Error::Rust { path: tree.path(&file), source })?;
        }
    }
    let rows = codes.iter().map(|(code, meanings)| format!("| `{code}` | {} |\n", meanings.join("<br>")));
    let contents = format!(
        "# Error codes\n\nMade by `{COMMAND}`. An error begins with `error[CODE]:`; the codes stay, the words may change.\n\n\
         | code | what happened |\n|---|---|\n{}",
        rows.collect::<String>()
    );
    Ok(vec![Page { path: "docs/reference/error-codes.md".to_owned(), contents }])
}

fn collect(text: &str, codes: &mut Codes) -> syn::Result<()> {
    let file = syn::parse_file(text)?;
    let mut meanings: BTreeMap<(String, String), String> = BTreeMap::new();
    for item in &file.items {
        if let Item::Enum(item) = item {
            for variant in &item.variants {
                meanings.insert((item.ident.to_string(), variant.ident.to_string()), meaning(&variant.attrs));
            }
        }
    }
    for item in &file.items {
        let Item::Impl(item) = item else { continue };
        let Some(name) = type_name(&item.self_ty) else { continue };
        for arm in item.items.iter().filter_map(code_arms).flatten() {
            let Some(code) = text_of(&arm.body) else { continue };
            for variant in variants(&arm.pat) {
                // Its meaning is told where the variant wraps an error that has codes of its own.
                let meaning = meanings.get(&(name.clone(), variant)).cloned().unwrap_or_default();
                codes.entry(code.clone()).or_default().push(meaning);
            }
        }
    }
    Ok(())
}

fn type_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

/// The arms of the `match self` in `fn code`.
fn code_arms(item: &ImplItem) -> Option<&[Arm]> {
    let ImplItem::Fn(function) = item else { return None };
    if function.sig.ident != "code" {
        return None;
    }
    match function.block.stmts.as_slice() {
        [Stmt::Expr(Expr::Match(arms), None)] => Some(&arms.arms),
        _ => None,
    }
}

/// The string that an arm gives; none when it hands on another error's code.
fn text_of(body: &Expr) -> Option<String> {
    match body {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Expr(inner, None)] => text_of(inner),
            _ => None,
        },
        _ => None,
    }
}

/// The variants that a pattern names.
fn variants(pattern: &Pat) -> Vec<String> {
    let last = |path: &syn::Path| path.segments.last().map(|segment| segment.ident.to_string());
    match pattern {
        Pat::Or(any) => any.cases.iter().flat_map(variants).collect(),
        Pat::Path(path) => last(&path.path).into_iter().collect(),
        Pat::Struct(pattern) => last(&pattern.path).into_iter().collect(),
        Pat::TupleStruct(pattern) => last(&pattern.path).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The first paragraph of the doc comment, on one line.
fn meaning(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => text_of(&pair.value),
        _ => None,
    });
    let paragraph: Vec<String> =
        lines.map(|line| line.trim().to_owned()).take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests;
