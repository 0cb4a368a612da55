//! Registries and remotes as the user's own tools have them.
//!
//! Tools are asked outside of the project, with an environment of their own, side by side, each with a time limit; what
//! they answered counts until their program or one of the files that their data file names is another one. Their files
//! are read where they tell nothing. Neither a program nor a file counts that lies where a sandbox can write. Of all
//! that is read only hosts and plain values stay.

pub(crate) mod ask;
mod readers;
mod redact;
mod remember;

use std::thread::{Builder, ScopedJoinHandle};

use camino::{Utf8Path, Utf8PathBuf};
use coffer_plan::facts::{HostFacts, Questions, ToolAnswer, ToolEntry};
use coffer_plan::path::{PathTemplate, is_within};
use coffer_plan::tool::{Ask, Format, ReadFile, Tool};

use crate::read::{MAX_BYTES, Unread, read_beneath, read_file};
use crate::{paths, search};
use ask::Heard;
use remember::{Memory, Question};

/// The most folders that a `*` stands for, and the most hosts that one file of a project can name.
const MAX_FOLDERS: usize = 64;
const MAX_NAMED: usize = 64;

/// Variables that tools get when they are set and lead to where no sandbox can write.
const FOLDERS: &[&str] =
    &["CARGO_HOME", "GOPATH", "GOROOT", "NVM_DIR", "PYENV_ROOT", "RUSTUP_HOME", "XDG_CONFIG_HOME"];

/// Why something does not count.
const WRITABLE: &str = "it lies where a sandbox can write";

/// What is asked, and what may be believed.
pub(crate) struct Machine<'a> {
    facts: &'a HostFacts,
    writable: Vec<Utf8PathBuf>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(facts: &'a HostFacts, questions: &Questions) -> Self {
        // The way to a folder may lead over a link.
        let real = questions.writable.iter().map(|folder| paths::look(folder).resolved);
        Self { facts, writable: questions.writable.iter().cloned().chain(real).collect() }
    }

    pub(crate) fn facts(&self) -> &HostFacts {
        self.facts
    }

    /// Whether a sandbox could have written what lies there, or could exchange it.
    pub(crate) fn is_writable(&self, path: &Utf8Path) -> bool {
        let real = paths::look(path).resolved;
        self.writable.iter().any(|folder| is_within(path, folder) || is_within(&real, folder))
    }

    /// What every tool gets, besides what its data file says.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut out = vec![("LC_ALL".to_owned(), "C".to_owned()), ("PATH".to_owned(), self.search_path())];
        out.extend(self.facts.user.home.iter().map(|home| ("HOME".to_owned(), home.to_string())));
        for name in FOLDERS {
            let value = self.facts.public_value(name).filter(|value| value.starts_with('/'));
            if let Some(value) = value.filter(|value| !self.is_writable(Utf8Path::new(value))) {
                out.push(((*name).to_owned(), value.to_owned()));
            }
        }
        out
    }

    fn search_path(&self) -> String {
        let entries = self.facts.public_value("PATH").unwrap_or_default().split(':');
        let safe: Vec<&str> = entries
            .filter(|entry| entry.starts_with('/') && !self.is_writable(Utf8Path::new(entry)))
            .collect();
        safe.join(":")
    }
}

/// What the tools say, the strongest word of each first, and then what files of the project name.
pub(crate) fn answers(
    facts: &HostFacts,
    questions: &Questions,
    cache_folder: Option<&Utf8Path>,
) -> Vec<ToolAnswer> {
    let machine = Machine::new(facts, questions);
    let cache_folder = cache_folder.filter(|folder| !machine.is_writable(folder));
    let environment = machine.environment();
    let asked: Vec<(&Tool, &Ask)> =
        questions.tools.iter().flat_map(|tool| tool.asks.iter().map(move |ask| (tool, ask))).collect();
    let heard: Vec<(&Tool, Option<ToolAnswer>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .into_iter()
            .map(|(tool, ask)| {
                let (machine, environment) = (&machine, &environment);
                let ask = move || answer(machine, tool, ask, environment, cache_folder);
                // Where there are too many threads already, they are asked one after the other.
                let thread = Builder::new().spawn_scoped(scope, ask).map_err(|_| ask());
                (tool, thread)
            })
            .collect();
        let heard = |thread: Result<ScopedJoinHandle<'_, _>, _>| match thread {
            Ok(thread) => thread.join().ok().flatten(),
            Err(answer) => answer,
        };
        threads.into_iter().map(|(tool, thread)| (tool, heard(thread))).collect()
    });
    let mut out = Vec::new();
    for tool in &questions.tools {
        let of_tool = heard.iter().filter(|(asked, _)| asked.name == tool.name);
        out.extend(of_tool.filter_map(|(_, answer)| answer.clone()));
        out.extend(tool.reads.iter().flat_map(|read| files(&machine, tool, read)));
    }
    out.extend(questions.tools.iter().flat_map(|tool| of_project(facts, tool)));
    out
}

/// One question; `None` when there is no such program here, or it has nothing to say.
fn answer(
    machine: &Machine<'_>,
    tool: &Tool,
    ask: &Ask,
    environment: &[(String, String)],
    cache_folder: Option<&Utf8Path>,
) -> Option<ToolAnswer> {
    let mut environment = environment.to_vec();
    environment.extend(ask.env.clone());
    let search_path = environment.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    let program = search::find(search_path, ask.command.first()?)?;
    let of = |entries, failed| ToolAnswer {
        tool: tool.name.clone(),
        source: ask.command.iter().take(3).cloned().collect::<Vec<_>>().join(" "),
        of_project: None,
        entries,
        failed,
    };
    let told = |entries: Vec<ToolEntry>, failed: Option<String>| {
        (!entries.is_empty() || failed.is_some()).then(|| of(entries, failed))
    };
    let watched: Vec<Utf8PathBuf> =
        ask.watch.iter().filter_map(|template| template.expand(machine.facts)).collect();
    let mut used = [&program.path, &program.fact.resolved].into_iter().chain(&watched);
    if let Some(path) = used.find(|path| machine.is_writable(path)) {
        return told(Vec::new(), Some(format!("`{path}`: {WRITABLE}")));
    }
    let question = Question::new(tool, ask, &environment, &program, &watched);
    let memory = cache_folder.map(|folder| Memory::new(folder, tool, ask));
    if let Some((entries, failed)) = memory.as_ref().and_then(|memory| memory.recall(&question)) {
        return told(entries, failed);
    }
    let heard = ask::ask(&program.path, &ask.command[1..], &environment, ask::PATIENCE);
    let mut more = Vec::new();
    let (entries, failed) = match heard {
        Heard::Said(text) => {
            let mut entries = Vec::new();
            let read = readers::read(ask.format, &text, (&ask.key, &ask.after), &mut |pair| {
                if let Some(origin) = pair.origin {
                    let origin = Utf8PathBuf::from(origin);
                    more.extend(included(machine.facts, &origin, pair.key, pair.value));
                    if machine.is_writable(&origin) {
                        return;
                    }
                    more.push(origin);
                }
                entries.extend(redact::entry(tool, pair.key, pair.value));
            });
            (entries, read.err().map(str::to_owned))
        }
        Heard::Ended(code) if Some(code) == ask.empty_exit => (Vec::new(), None),
        Heard::Ended(code) => (Vec::new(), Some(format!("it ended with exit status {code}"))),
        // Next time it may be quicker.
        Heard::Failed(reason) => return told(Vec::new(), Some(reason)),
    };
    if let Some(memory) = memory {
        memory.keep(&question, &more, &entries, failed.as_deref());
    }
    told(entries, failed)
}

/// A file that git includes: what it says may change, too.
fn included(facts: &HostFacts, origin: &Utf8Path, key: &str, value: &str) -> Option<Utf8PathBuf> {
    if key != "include.path" {
        return None;
    }
    let path = match value.starts_with('~') {
        true => PathTemplate(value.to_owned()).expand(facts)?,
        false => origin.parent()?.join(value),
    };
    Some(coffer_plan::path::clean(&path))
}

/// Files of the user's; a `*` on the way stands for every folder there.
fn files(machine: &Machine<'_>, tool: &Tool, read: &ReadFile) -> Vec<ToolAnswer> {
    let Some(path) = read.file.expand(machine.facts) else { return Vec::new() };
    let Some((above, below)) = path.as_str().split_once("/*/") else {
        return file(machine, tool, read, &path).into_iter().collect();
    };
    if machine.is_writable(Utf8Path::new(above)) {
        return Vec::new();
    }
    let mut names: Vec<String> = std::fs::read_dir(above)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .take(MAX_FOLDERS)
        .collect();
    names.sort();
    let of_folder = |name: &String| {
        let folder = Utf8Path::new(above).join(name);
        let mut answer = file(machine, tool, read, &folder.join(below))?;
        let host = name.rsplit_once('-').filter(|_| read.folder_is_host).map(|(host, _)| host);
        answer.entries.extend(host.and_then(|host| redact::host("index", host)));
        Some(answer)
    };
    names.iter().filter_map(of_folder).collect()
}

fn file(machine: &Machine<'_>, tool: &Tool, read: &ReadFile, path: &Utf8Path) -> Option<ToolAnswer> {
    let mut answer = ToolAnswer {
        tool: tool.name.clone(),
        source: path.to_string(),
        of_project: None,
        entries: Vec::new(),
        failed: None,
    };
    let found = match read_file(path, MAX_BYTES) {
        Err(Unread::Missing) => return None,
        Ok(_) if machine.is_writable(path) => Err(WRITABLE.to_owned()),
        Ok(found) => Ok(found),
        Err(unread) => Err(unread.to_string()),
    };
    match found {
        Ok(found) => {
            let read = readers::read(read.format, &found.content, ("", ""), &mut |pair| {
                answer.entries.extend(redact::entry(tool, pair.key, pair.value));
            });
            answer.failed = read.err().map(str::to_owned);
        }
        Err(reason) => answer.failed = Some(reason),
    }
    (read.folder_is_host || !answer.entries.is_empty() || answer.failed.is_some()).then_some(answer)
}

/// What files of the project name; one that does not read names nobody. No link is followed: an agent may have written
/// them.
fn of_project(facts: &HostFacts, tool: &Tool) -> Vec<ToolAnswer> {
    let project = &facts.project;
    let below = project.start.strip_prefix(&project.path).unwrap_or(Utf8Path::new(""));
    let mut places: Vec<(Utf8PathBuf, Utf8PathBuf, Format)> = Vec::new();
    for named in &tool.project_files {
        if named.format == Format::GitConfig {
            let git = project.git.as_ref().filter(|git| git.verified);
            places.extend(git.map(|git| (git.common_dir.clone(), "config".into(), named.format)));
            continue;
        }
        places.push((project.path.clone(), named.file.clone().into(), named.format));
        if below != "" {
            places.push((project.path.clone(), below.join(&named.file), named.format));
        }
    }
    let mut out = Vec::new();
    for (root, relative, format) in places {
        let Ok(found) = read_beneath(&root, relative.as_str(), MAX_BYTES) else { continue };
        let mut entries: Vec<ToolEntry> = Vec::new();
        let read = readers::read(format, &found.content, ("", ""), &mut |pair| {
            let entry = redact::entry(tool, pair.key, pair.value);
            entries.extend(entry.filter(|entry| !entry.endpoints.is_empty()));
        });
        entries.truncate(MAX_NAMED);
        if read.is_ok() && !entries.is_empty() {
            let file = root.join(relative);
            let (tool, source) = (tool.name.clone(), file.to_string());
            out.push(ToolAnswer { tool, source, of_project: Some(file), entries, failed: None });
        }
    }
    out
}

#[cfg(test)]
mod tests;
