//! Git's configuration files as values, by git-config(1)'s syntax: sections, keys, quotes, escapes, comments. What
//! they include is not followed.

/// An entry; section and key in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Before the first dot.
    pub section: String,
    /// Between the first dot and the last one, as it is written.
    pub subsection: Option<String>,
    /// Behind the last dot.
    pub key: String,
    /// `None` for a key that stands alone, which means true.
    pub value: Option<String>,
}

impl Entry {
    /// The key as git prints it.
    pub fn dotted(&self) -> String {
        match &self.subsection {
            Some(subsection) => format!("{}.{subsection}.{}", self.section, self.key),
            None => format!("{}.{}", self.section, self.key),
        }
    }
}

/// All entries; `None` for a file that git would refuse.
pub fn entries(text: &str) -> Option<Vec<Entry>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut rest = text.as_str();
    let mut section = None;
    let mut entries = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Some(entries);
        };
        match first {
            '#' | ';' => rest = rest.split_once('\n').map_or("", |(_, below)| below),
            '[' => {
                let (name, below) = header(&rest[1..])?;
                section = Some(name);
                rest = below;
            }
            _ => {
                let (key, value, below) = entry(rest)?;
                rest = below;
                // A key before any section is an error.
                let (section, subsection): (String, Option<String>) = section.clone()?;
                entries.push(Entry { section, subsection, key, value });
            }
        }
    }
}

/// A header after its bracket: section and subsection, and what follows.
fn header(text: &str) -> Option<((String, Option<String>), &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))?;
    let (name, rest) = text.split_at(end);
    let name = name.to_ascii_lowercase();
    if let Some(below) = rest.strip_prefix(']') {
        // `[a.b]` is the old way to write `[a "b"]`.
        return Some(match name.split_once('.') {
            Some((section, subsection)) => ((section.to_owned(), Some(subsection.to_owned())), below),
            None => ((name, None), below),
        });
    }
    // Git joins both: `[a.b "c"]` is section `a`, subsection `b.c`.
    let (name, mut subsection) = match name.split_once('.') {
        Some((section, below)) => (section.to_owned(), format!("{below}.")),
        None => (name, String::new()),
    };
    let mut characters = rest.trim_start_matches([' ', '\t']).strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some(((name, Some(subsection)), characters.as_str().strip_prefix(']')?)),
            '\\' => subsection.push(characters.next()?),
            '\n' => return None,
            other => subsection.push(other),
        }
    }
}

/// A key, its value (`None` when it stands alone, which means true), and what follows.
fn entry(text: &str) -> Option<(String, Option<String>, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let key = key.to_ascii_lowercase();
    let rest = rest.trim_start_matches([' ', '\t']);
    if let Some(rest) = rest.strip_prefix('=') {
        let (value, below) = value_text(rest)?;
        return Some((key, Some(value), below));
    }
    let alone = rest.is_empty() || rest.starts_with(['\n', '#', ';']);
    alone.then_some((key, None, rest))
}

/// A value up to the end of its line: blanks around it go, quotes keep them, `#` and `;` begin a comment.
fn value_text(text: &str) -> Option<(String, &str)> {
    let mut characters = text.trim_start_matches([' ', '\t']).chars();
    let mut value = String::new();
    // How much of the value stays when the blanks at its end go.
    let mut kept = 0;
    let mut quoted = false;
    loop {
        match characters.next() {
            None | Some('\n') if quoted => return None,
            None | Some('\n') => break,
            Some('"') => {
                quoted = !quoted;
                kept = value.len();
            }
            Some('\\') => match characters.next()? {
                '\n' => {}
                escaped => {
                    value.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'b' => '\u{8}',
                        '"' | '\\' => escaped,
                        _ => return None,
                    });
                    kept = value.len();
                }
            },
            Some('#' | ';') if !quoted => {
                let rest = characters.as_str();
                let below = rest.split_once('\n').map_or("", |(_, below)| below);
                value.truncate(kept);
                return Some((value, below));
            }
            Some(blank @ (' ' | '\t')) if !quoted => value.push(blank),
            Some(other) => {
                value.push(other);
                kept = value.len();
            }
        }
    }
    value.truncate(kept);
    Some((value, characters.as_str()))
}
