//! The one place that prints.

use std::io::{IsTerminal, Write};

use coffer_plan::show::audit::{Style, printable};

use crate::cli::{Color, Global};
use crate::error::Error;

/// Where output goes, and how.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    quiet: bool,
    verbose: bool,
    color: Color,
}

/// What a table is drawn on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) style: Style,
    /// In columns; `None` for what is no terminal.
    pub(crate) width: Option<usize>,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        Self { quiet: global.quiet, verbose: global.verbose, color: global.color }
    }

    /// What we were told about printing, in one word.
    pub(crate) fn words(&self) -> String {
        Global::word(self.quiet, self.verbose, self.color)
    }

    /// Data, on stdout.
    pub(crate) fn data(&self, text: &str) -> Result<(), Error> {
        let mut stdout = std::io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(end.as_bytes()));
        written.and_then(|()| stdout.flush()).map_err(Error::Output)
    }

    /// A value as one JSON document, on stdout.
    pub(crate) fn json(&self, value: &impl serde::Serialize) -> Result<(), Error> {
        self.data(&serde_json::to_string_pretty(value).map_err(Error::Json)?)
    }

    /// For people, on stderr; nothing when quiet.
    pub(crate) fn tell(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Whether data goes to a terminal.
    pub(crate) fn is_screen(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Whether nothing but data and errors is printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// For people, on stderr, however quiet: they asked for it, or have to decide.
    pub(crate) fn insist(&self, text: &str) {
        self.stderr(text);
    }

    /// Whether more is printed.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// A question to a person; whether they said yes. `None` when nobody is there.
    pub(crate) fn ask(&self, question: &str) -> Option<bool> {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return None;
        }
        self.stderr(&format!("{question} [y/N] "));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Words that a person types; `None` when nobody is there.
    pub(crate) fn typed(&self, question: &str) -> Option<String> {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return None;
        }
        self.stderr(&format!("{question}: "));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// A failure: `error[CODE]: …`, its causes indented, its hint.
    pub(crate) fn failure(&self, error: &Error) {
        for finding in error.findings() {
            let mut text = format!("error[{}]: {}\n", finding.code, printable(&finding.message));
            for cause in finding.causes {
                text.push_str(&format!("  {}\n", printable(&cause)));
            }
            if let Some(hint) = finding.hint {
                text.push_str(&format!("hint: {}\n", printable(&hint)));
            }
            self.stderr(&text);
        }
    }

    /// The style of the audit on stderr.
    pub(crate) fn style(&self) -> Style {
        self.style_for(anstream::AutoStream::choice(&std::io::stderr()))
    }

    /// The style of what goes to stdout.
    pub(crate) fn data_style(&self) -> Style {
        self.style_for(anstream::AutoStream::choice(&std::io::stdout()))
    }

    /// What data is shown on: the style, and how wide it is where it is a terminal that says so.
    pub(crate) fn data_screen(&self) -> Screen {
        let width = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col.into());
        Screen { style: self.data_style(), width: width.filter(|width| *width > 0) }
    }

    fn style_for(&self, detected: anstream::ColorChoice) -> Style {
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => detected != anstream::ColorChoice::Never,
        };
        Style { color }
    }

    fn stderr(&self, text: &str) {
        // With nobody to read it there is nobody to tell that, either.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
