//! What an experiment found: rows of named values, as text, as JSON and as a page.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::practice::Client;

/// A table of measurements.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What was done, in a sentence or two.
    pub(crate) about: String,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
}

/// One measurement; as many cells as the table has columns.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Value>,
    /// Whether it is as it must be; none where the row only shows what is.
    pub(crate) well: Option<bool>,
}

impl Row {
    /// A row that only shows what is.
    pub(crate) fn shown(cells: Vec<Value>) -> Self {
        Self { cells, well: None }
    }

    /// A row that has to be as it is said.
    pub(crate) fn judged(cells: Vec<Value>, well: bool) -> Self {
        Self { cells, well: Some(well) }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cells: Vec<String> = self.cells.iter().map(word).collect();
        f.write_str(&cells.join(" · "))?;
        match self.well {
            Some(well) => write!(f, " · as it must be: {}", if well { "yes" } else { "no" }),
            None => Ok(()),
        }
    }
}

/// All tables of a run of the lab.
#[derive(Debug)]
pub(crate) struct Report {
    experiment: String,
    clients: Vec<(String, String)>,
    day: String,
    tables: Vec<Table>,
}

impl Report {
    pub(crate) fn of(experiment: &str, clients: &[Client], tables: Vec<Table>) -> Self {
        let clients = clients
            .iter()
            .map(|client| (client.version.clone(), client.path.display().to_string()))
            .collect();
        let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        Self { experiment: experiment.to_owned(), clients, day, tables }
    }

    /// Whether nothing is other than it must be.
    pub(crate) fn well(&self) -> bool {
        self.tables.iter().flat_map(|table| &table.rows).all(|row| row.well != Some(false))
    }

    pub(crate) fn json(&self) -> Value {
        let tables = self.tables.iter().map(|table| {
            let rows = table.rows.iter().map(|row| {
                let named = table.columns.iter().map(|column| column.replace(' ', "_"));
                let mut object: Map<String, Value> = named.zip(row.cells.iter().cloned()).collect();
                object.insert("as_it_must_be".to_owned(), json!(row.well));
                Value::Object(object)
            });
            json!({"name": table.name, "about": table.about, "rows": rows.collect::<Vec<_>>()})
        });
        let clients = self.clients.iter().map(|(version, path)| json!({"version": version, "path": path}));
        json!({
            "schema": 1, "experiment": self.experiment, "day": self.day, "well": self.well(),
            "clients": clients.collect::<Vec<_>>(), "tables": tables.collect::<Vec<_>>(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            let _ = write!(text, "{}: {}\n\n", table.name, table.about);
            let cells = lines(table);
            let widths: Vec<usize> = (0..=table.columns.len())
                .map(|at| cells.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max())
                .map(Option::unwrap_or_default)
                .collect();
            for line in &cells {
                let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
                let _ = writeln!(text, "  {}", padded.collect::<Vec<_>>().join("  ").trim_end());
            }
            text.push('\n');
        }
        if !self.well() {
            text.push_str("Lines that end with `no` are not as they must be.\n");
        }
        text
    }

    /// The results as a page of the reference.
    pub(crate) fn page(&self) -> String {
        let mut page = format!("# `coffer lab {}`: results\n\n", self.experiment);
        let versions: Vec<&str> = self.clients.iter().map(|(version, _)| version.as_str()).collect();
        let _ = writeln!(
            page,
            "Written by `coffer lab {} --out` on {}, with the genuine CLI {}, against the practice API. Each line was measured \
             in that run. The last column says whether a line is as it must be; where it is empty, the line only shows what is.",
            self.experiment,
            self.day,
            versions.join(" and "),
        );
        for table in &self.tables {
            let _ = write!(page, "\n## {}\n\n{}\n\n", table.name, table.about);
            for (at, line) in lines(table).iter().enumerate() {
                let _ = writeln!(page, "| {} |", line.join(" | ").replace('\n', " "));
                if at == 0 {
                    let _ = writeln!(page, "|{}", "---|".repeat(line.len()));
                }
            }
        }
        page
    }
}

/// The table's head and rows as words.
fn lines(table: &Table) -> Vec<Vec<String>> {
    let head = table.columns.iter().map(|column| (*column).to_owned()).chain(["as it must be".to_owned()]);
    let mut lines = vec![head.collect::<Vec<_>>()];
    lines.extend(table.rows.iter().map(|row| {
        let well = row.well.map_or("", |well| if well { "yes" } else { "no" });
        row.cells.iter().map(word).chain([well.to_owned()]).collect()
    }));
    lines
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
