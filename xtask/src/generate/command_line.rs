//! The command line's reference, completions and man pages, all from clap's own data.

use clap::Command;
use clap_complete::Shell;

use crate::error::Error;
use crate::tree::Tree;

use super::{COMMAND, Page};

/// Columns of the help texts, the same wherever this runs.
const WIDTH: usize = 100;

pub(super) fn pages(_tree: &Tree) -> Result<Vec<Page>, Error> {
    let mut pages = vec![reference()];
    pages.extend([Shell::Bash, Shell::Zsh, Shell::Fish].map(completions));
    pages.extend(man_pages()?);
    Ok(pages)
}

fn command() -> Command {
    let mut command =
        cofferdam::cli::command().disable_help_subcommand(true).term_width(WIDTH).max_term_width(WIDTH);
    // Gives every subcommand its full name and the global options.
    command.build();
    command
}

/// Every command that a person is meant to type, the program itself first.
fn visible(command: &Command) -> Vec<Command> {
    let mut all = vec![command.clone()];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        all.extend(visible(below));
    }
    all
}

fn full_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn reference() -> Page {
    let mut text = format!("# Command line\n\nMade by `{COMMAND}` from what `coffer --help` prints.\n");
    for mut command in visible(&command()) {
        let help = command.render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        text.push_str(&format!(
            "\n## {}\n\n```text\n{}\n```\n",
            full_name(&command),
            help.join("\n").trim_end()
        ));
    }
    Page { path: "docs/reference/command-line.md".to_owned(), contents: text }
}

fn completions(shell: Shell) -> Page {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "coffer", &mut script);
    Page {
        path: format!("docs/reference/completions/coffer.{shell}"),
        contents: String::from_utf8_lossy(&script).into_owned(),
    }
}

fn man_pages() -> Result<Vec<Page>, Error> {
    let mut pages = Vec::new();
    for command in visible(&command()) {
        let name = full_name(&command).replace(' ', "-");
        let path = format!("docs/reference/man/{name}.1");
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|source| Error::Write { path: path.clone().into(), source })?;
        pages.push(Page { path, contents: String::from_utf8_lossy(&page).into_owned() });
    }
    Ok(pages)
}
