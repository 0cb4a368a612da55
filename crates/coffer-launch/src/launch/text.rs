//! A launch as words and as one line for a shell, and back.
//!
//! Words that begin with `@` are resolved: `@ref:…` are the plan's references, `@data:…` a descriptor
//! with public text, `@data-ref:…` one with what a reference stands for, `@open:DEV:INO:PATH` a path
//! opened, `@control` the control socket, `@gateway` the socket that leads to the gateway, `@name` the name of
//! the run's container, `@mount:WHAT:…` a mount of what is made for the run. A plain word that begins with `@` is
//! written as `@text:…`.

use camino::Utf8PathBuf;
use coffer_plan::plan::Reference;

use super::{Guard, HostPath, Launch, Made, Part, PartKind, Place, Preparation, SeedContent, VERB, Word};

/// Why words are no launch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// An option that does not exist.
    #[error("unknown option `{0}` of `exec-launch`")]
    UnknownOption(String),
    /// An option's value does not read.
    #[error("`{value}` is no value of `{option}`")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// A word that begins with `@` and means nothing.
    #[error("`{0}` means nothing here")]
    Word(String),
    /// Something that every launch has is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

impl Launch {
    /// The words after `coffer`.
    pub fn words(&self) -> Vec<String> {
        let mut out = vec![VERB.to_owned(), "--runtime".to_owned(), self.runtime.to_string()];
        if let Some(about) = &self.about {
            // Texts alone: nothing in it can fail to be JSON.
            let about = serde_json::to_string(about).unwrap_or_default();
            out.extend(["--about".to_owned(), about]);
        }
        if let Some(gateway) = &self.gateway {
            // Texts and numbers alone, as above.
            let gateway = serde_json::to_string(gateway).unwrap_or_default();
            out.extend(["--gateway".to_owned(), gateway]);
        }
        if let Some(agents) = &self.key_agents {
            let agents = serde_json::to_string(agents).unwrap_or_default();
            out.extend(["--key-agents".to_owned(), agents]);
        }
        if let Some(limits) = &self.limits {
            // Paths and numbers alone, as above.
            let limits = serde_json::to_string(limits).unwrap_or_default();
            out.extend(["--limits".to_owned(), limits]);
        }
        if let Some(engine) = &self.engine {
            let engine = serde_json::to_string(engine).unwrap_or_default();
            out.extend(["--engine".to_owned(), engine]);
        }
        for (name, value) in &self.environment {
            out.extend(["--set".to_owned(), format!("{name}={}", word_text(value))]);
        }
        for preparation in &self.preparations {
            let (option, value) = preparation_words(preparation);
            out.extend([option.to_owned(), value]);
        }
        out.extend(["--".to_owned(), self.program.to_string()]);
        out.extend(self.options.iter().map(|word| match word_text(word) {
            // A bare `--` ends the options.
            end if end == "--" => format!("@text:{end}"),
            text => text,
        }));
        out.push("--".to_owned());
        out.extend(self.inside.iter().map(word_text));
        out
    }

    /// One line that a shell can run; `coffer` is the program to put first.
    pub fn line(&self, coffer: &str) -> String {
        let words = std::iter::once(coffer.to_owned()).chain(self.words());
        words.map(|word| quote(&word)).collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Launch::words`] wrote, without the first word.
    ///
    /// # Errors
    /// At the first word that does not read.
    pub fn parse(words: &[String]) -> Result<Self, ParseError> {
        let mut words = words.iter();
        let (mut runtime, mut about, mut gateway) = (None, None, None);
        let (mut key_agents, mut limits, mut engine) = (None, None, None);
        let (mut environment, mut preparations) = (Vec::new(), Vec::new());
        loop {
            let option = words.next().ok_or(ParseError::Missing("--"))?;
            if option == "--" {
                break;
            }
            let value = words.next().ok_or(ParseError::Missing("a value"))?;
            let bad = |_| ParseError::Value { option: option.clone(), value: value.clone() };
            if option == "--runtime" {
                runtime = Some(Utf8PathBuf::from(value));
            } else if option == "--about" {
                about = Some(serde_json::from_str(value).map_err(bad)?);
            } else if option == "--gateway" {
                gateway = Some(serde_json::from_str(value).map_err(bad)?);
            } else if option == "--key-agents" {
                key_agents = Some(serde_json::from_str(value).map_err(bad)?);
            } else if option == "--limits" {
                limits = Some(serde_json::from_str(value).map_err(bad)?);
            } else if option == "--engine" {
                engine = Some(serde_json::from_str(value).map_err(bad)?);
            } else if option == "--set" {
                environment.push(parse_variable(option, value)?);
            } else {
                preparations.push(parse_preparation(option, value)?);
            }
        }
        let program = Utf8PathBuf::from(words.next().ok_or(ParseError::Missing("the backend's program"))?);
        let mut options = Vec::new();
        loop {
            match words.next() {
                None => return Err(ParseError::Missing("the command inside")),
                Some(word) if word == "--" => break,
                Some(word) => options.push(parse_word(word)?),
            }
        }
        let inside = words.map(|word| parse_word(word)).collect::<Result<Vec<_>, _>>()?;
        if inside.is_empty() {
            return Err(ParseError::Missing("the command inside"));
        }
        let runtime = runtime.ok_or(ParseError::Missing("--runtime"))?;
        Ok(Self {
            runtime,
            about,
            gateway,
            key_agents,
            limits,
            engine,
            environment,
            preparations,
            program,
            options,
            inside,
        })
    }
}

/// Quotes a word for a POSIX shell; what is resolved always stands in single quotes.
pub fn quote(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,+%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn word_text(word: &Word) -> String {
    match word {
        Word::Text(text) if text.starts_with('@') => format!("@text:{text}"),
        Word::Text(text) => text.clone(),
        Word::Ref(reference) => reference.to_string(),
        Word::Data(text) => format!("@data:{}", escape(text)),
        Word::DataRef(reference) => format!("@data-ref:{reference}"),
        Word::Open(HostPath { path, dev, ino }) => format!("@open:{dev}:{ino}:{path}"),
        Word::Control => "@control".to_owned(),
        Word::Gateway => "@gateway".to_owned(),
        Word::Name => "@name".to_owned(),
        Word::Mount { made, rest } => format!("@mount:{}:{rest}", made_text(made)),
    }
}

fn made_text(made: &Made) -> String {
    match made {
        Made::Folder(folder) => format!("folder={folder}"),
        Made::Sockets => "sockets".to_owned(),
        Made::File(name) => format!("file={name}"),
    }
}

fn parse_mount(text: &str) -> Option<Word> {
    let (made, rest) = text.split_once(':')?;
    let made = match made.split_once('=') {
        None if made == "sockets" => Made::Sockets,
        Some(("folder", folder)) => Made::Folder(folder.parse().ok()?),
        Some(("file", name)) if is_name(name) => Made::File(name.to_owned()),
        Some(_) | None => return None,
    };
    Some(Word::Mount { made, rest: rest.to_owned() })
}

/// Whether it stays among the files of the run.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// A variable of the agent's, and where its value comes from.
fn parse_variable(option: &str, value: &str) -> Result<(String, Word), ParseError> {
    let bad = || ParseError::Value { option: option.to_owned(), value: value.to_owned() };
    let (name, word) = value.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(bad)?;
    match parse_word(word)? {
        word @ (Word::Text(_) | Word::Ref(_)) => Ok((name.to_owned(), word)),
        Word::Data(_)
        | Word::DataRef(_)
        | Word::Open(_)
        | Word::Control
        | Word::Gateway
        | Word::Name
        | Word::Mount { .. } => Err(bad()),
    }
}

fn parse_word(word: &str) -> Result<Word, ParseError> {
    let bad = || ParseError::Word(word.to_owned());
    let Some(marked) = word.strip_prefix('@') else { return Ok(Word::Text(word.to_owned())) };
    match marked.split_once(':') {
        None if marked == "control" => Ok(Word::Control),
        None if marked == "gateway" => Ok(Word::Gateway),
        None if marked == "name" => Ok(Word::Name),
        Some(("mount", text)) => parse_mount(text).ok_or_else(bad),
        Some(("text", text)) => Ok(Word::Text(text.to_owned())),
        Some(("ref", _)) => word.parse().map(Word::Ref).map_err(|_| bad()),
        Some(("data", text)) => unescape(text).map(Word::Data).ok_or_else(bad),
        Some(("data-ref", text)) => text.parse().map(Word::DataRef).map_err(|_| bad()),
        Some(("open", text)) => parse_host_path(text).map(Word::Open).ok_or_else(bad),
        Some(_) | None => Err(bad()),
    }
}

fn parse_host_path(text: &str) -> Option<HostPath> {
    let (dev, rest) = text.split_once(':')?;
    let (ino, path) = rest.split_once(':')?;
    Some(HostPath { path: path.into(), dev: dev.parse().ok()?, ino: ino.parse().ok()? })
}

/// Line breaks would end the one line.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\n', r"\n").replace('\t', r"\t")
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.push(match characters.next()? {
                'n' => '\n',
                't' => '\t',
                '\\' => '\\',
                _ => return None,
            }),
            plain => out.push(plain),
        }
    }
    Some(out)
}

fn preparation_words(preparation: &Preparation) -> (&'static str, String) {
    match preparation {
        Preparation::Own(path) => ("--own", path.to_string()),
        Preparation::State(path) => ("--state", path.to_string()),
        Preparation::Copy { of, way } => ("--copy", format!("{way}:{of}")),
        // No name of ours has a comma.
        Preparation::Keep(never) => ("--keep-without", never.join(",")),
        Preparation::Folder(folder) => ("--folder", folder.to_string()),
        Preparation::File { name, mode, content } => {
            ("--file", format!("{name}:{mode:o}={}", content_text(content)))
        }
        Preparation::Lease { name, content } => ("--lease", format!("{name}={content}")),
        Preparation::Seed { place, file, content } => {
            ("--seed", format!("{}//{file}={}", place_text(place), content_text(content)))
        }
        Preparation::Link { place, name, to } => ("--link", format!("{}//{name}={to}", place_text(place))),
        Preparation::Point { place, below, folder } => {
            let option = if *folder { "--point-folder" } else { "--point-file" };
            (option, format!("{}//{below}", place_text(place)))
        }
        Preparation::Expect(HostPath { path, dev, ino }) => ("--expect", format!("{dev}:{ino}:{path}")),
        Preparation::Part(part) => part_words(part),
        Preparation::Guard(guard) => guard_words(guard),
        Preparation::Hold { path, text: None } => ("--hold", path.to_string()),
        Preparation::Hold { path, text: Some(text) } => ("--hold-file", format!("{path}//{}", escape(text))),
        Preparation::Login { place, file } => ("--login", format!("{}//{file}", place_text(place))),
    }
}

fn content_text(content: &SeedContent) -> String {
    match content {
        // A text of our own that looks like a reference is none.
        SeedContent::Text(text) if text.starts_with('@') => format!("@text:{}", escape(text)),
        SeedContent::Text(text) => escape(text),
        SeedContent::Ref(reference) => reference.to_string(),
    }
}

fn parse_content(content: &str) -> Option<SeedContent> {
    if content.starts_with("@ref:") {
        return Some(SeedContent::Ref(content.parse().ok()?));
    }
    unescape(content.strip_prefix("@text:").unwrap_or(content)).map(SeedContent::Text)
}

fn part_words(Part { below, what }: &Part) -> (&'static str, String) {
    let seen = |HostPath { path, dev, ino }: &HostPath| format!("{below}//{dev}:{ino}:{path}");
    match what {
        PartKind::File(path) => ("--etc-file", seen(path)),
        PartKind::Folder(path) => ("--etc-folder", seen(path)),
        PartKind::Link(to) => ("--etc-link", format!("{below}//{to}")),
        PartKind::Text(text) => ("--etc-text", format!("{below}//{}", escape(text))),
    }
}

fn parse_part(option: &str, value: &str) -> Option<Preparation> {
    let (below, rest) = value.split_once("//")?;
    let what = match option {
        "--etc-file" => PartKind::File(parse_host_path(rest)?),
        "--etc-folder" => PartKind::Folder(parse_host_path(rest)?),
        "--etc-link" => PartKind::Link(rest.to_owned()),
        "--etc-text" => PartKind::Text(unescape(rest)?),
        _ => return None,
    };
    Some(Preparation::Part(Part { below: below.into(), what }))
}

fn guard_words(guard: &Guard) -> (&'static str, String) {
    let seen = |HostPath { path, dev, ino }: &HostPath| format!("{dev}:{ino}:{path}");
    match guard {
        Guard::ReadOnly(path) => ("--guard-ro", seen(path)),
        Guard::Pin(path) => ("--guard-pin", seen(path)),
        Guard::Held(path) => ("--guard-held", path.to_string()),
        Guard::GitConfig { config, name, accept: false } => {
            ("--guard-git-config", format!("{name}:{}", seen(config)))
        }
        Guard::GitConfig { config, name, accept: true } => {
            ("--accept-git-config", format!("{name}:{}", seen(config)))
        }
    }
}

fn place_text(place: &Place) -> String {
    match place {
        Place::Path(path) => path.to_string(),
        Place::Run(folder) => Reference::Folder(*folder).to_string(),
    }
}

fn parse_preparation(option: &str, value: &str) -> Result<Preparation, ParseError> {
    let bad = || ParseError::Value { option: option.to_owned(), value: value.to_owned() };
    // `//` never stands in a clean path, so it parts a folder from what is below it.
    let placed = || value.split_once("//").and_then(|(place, rest)| Some((parse_place(place)?, rest)));
    let assigned = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let parsed = match option {
        "--own" => Some(Preparation::Own(value.into())),
        "--state" => Some(Preparation::State(value.into())),
        "--copy" => value
            .split_once(':')
            .and_then(|(way, of)| Some(Preparation::Copy { of: of.into(), way: way.parse().ok()? })),
        "--keep-without" => Some(Preparation::Keep(
            value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        )),
        "--folder" => value.parse().ok().map(Preparation::Folder),
        "--file" => assigned(value).and_then(|(file, content)| {
            let (name, mode) = file.split_once(':').filter(|(name, _)| is_name(name))?;
            let mode = u32::from_str_radix(mode, 8).ok()?;
            Some(Preparation::File { name: name.to_owned(), mode, content: parse_content(&content)? })
        }),
        "--lease" => assigned(value)
            .and_then(|(name, content)| Some(Preparation::Lease { name, content: content.parse().ok()? })),
        "--seed" => placed().and_then(|(place, rest)| {
            let (file, content) = assigned(rest)?;
            Some(Preparation::Seed { place, file, content: parse_content(&content)? })
        }),
        "--link" => placed().and_then(|(place, rest)| {
            let (name, to) = assigned(rest)?;
            Some(Preparation::Link { place, name, to: to.into() })
        }),
        "--point-folder" | "--point-file" => placed().map(|(place, below)| Preparation::Point {
            place,
            below: below.into(),
            folder: option == "--point-folder",
        }),
        "--expect" => parse_host_path(value).map(Preparation::Expect),
        "--hold" => Some(Preparation::Hold { path: value.into(), text: None }),
        "--hold-file" => value.split_once("//").and_then(|(path, text)| {
            Some(Preparation::Hold { path: path.into(), text: Some(unescape(text)?) })
        }),
        "--etc-file" | "--etc-folder" | "--etc-link" | "--etc-text" => parse_part(option, value),
        "--guard-ro" => parse_host_path(value).map(Guard::ReadOnly).map(Preparation::Guard),
        "--guard-pin" => parse_host_path(value).map(Guard::Pin).map(Preparation::Guard),
        "--guard-held" => Some(Preparation::Guard(Guard::Held(value.into()))),
        "--guard-git-config" | "--accept-git-config" => value.split_once(':').and_then(|(name, rest)| {
            let (config, accept) = (parse_host_path(rest)?, option == "--accept-git-config");
            Some(Preparation::Guard(Guard::GitConfig { config, name: name.to_owned(), accept }))
        }),
        "--login" => placed().map(|(place, file)| Preparation::Login { place, file: file.to_owned() }),
        _ => return Err(ParseError::UnknownOption(option.to_owned())),
    };
    parsed.ok_or_else(bad)
}

fn parse_place(text: &str) -> Option<Place> {
    if text.starts_with("@ref:") {
        match text.parse() {
            Ok(Reference::Folder(folder)) => Some(Place::Run(folder)),
            Ok(_) | Err(_) => None,
        }
    } else {
        Some(Place::Path(text.into()))
    }
}
