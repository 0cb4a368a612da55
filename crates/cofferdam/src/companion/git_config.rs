//! What a run changed in its copies of git's configuration. What is harmless reaches the host, key by key; everything
//! else is shown and put aside.

use camino::Utf8PathBuf;
use coffer_account::beneath::{Seen, look};
use coffer_launch::launch::quote;
use coffer_launch::run::{GitConfigCopy, Standing};
use coffer_plan::built_in;
use coffer_plan::deferred::GitKeys;
use coffer_plan::deferred::git_changes::{Change, changes};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;

use crate::error::Error;
use crate::printer::Printer;
use crate::quarantine::git_config::{apply, lines};
use crate::quarantine::{Item, Quarantine};

/// What came of one copy.
#[derive(Default)]
pub(super) struct Settled {
    path: Utf8PathBuf,
    /// Changes that reached the host because they are harmless.
    harmless: Vec<Change>,
    /// Changes that reached the host by the user's word.
    accepted: Vec<Change>,
    /// Changes that did not.
    withheld: Vec<Change>,
    /// Why none of them reached the host, if that failed.
    failed: Option<Error>,
    /// The item that holds them.
    kept: Option<Item>,
    /// Why nothing of it can be told, if so.
    strange: Option<&'static str>,
    /// What became of the host's own file meanwhile, if it was without the mount that keeps the agent from it.
    open: Option<Opened>,
}

/// The host's own file, while somebody else than the run may have written it.
enum Opened {
    /// These differences.
    Changed(Vec<Change>),
    /// Something that does not read.
    Strange,
}

/// Looks at a copy, and lets reach the host what may; `None` where there is nothing to tell.
pub(super) fn settle(
    copy: &GitConfigCopy<'_>,
    facts: &HostFacts,
    quarantine: &mut Quarantine,
) -> Result<Option<Settled>, Error> {
    let keys = built_in::deferred()?.git_keys;
    let mut out = Settled { path: copy.path.to_owned(), open: opened(copy, &keys), ..Settled::default() };
    let seen = look(copy.copy, copy.name);
    match &seen {
        Seen::File { content, .. } => out.copy(copy, content.expose(), &keys, facts, quarantine)?,
        Seen::Missing => out.strange = Some("it was removed"),
        Seen::Strange(what) => out.strange = Some(what),
    }
    let Settled { harmless, accepted, withheld, strange, open, .. } = &out;
    let is_quiet = harmless.is_empty() && accepted.is_empty() && withheld.is_empty();
    Ok((!(is_quiet && strange.is_none() && open.is_none())).then_some(out))
}

/// What became of the host's own file, where it is another one than that over which the run's link was mounted: a program
/// of the host renamed one over it, and from then on the agent could write it, too. Who did what cannot be known.
fn opened(copy: &GitConfigCopy<'_>, keys: &GitKeys) -> Option<Opened> {
    if copy.standing.is_some_and(Standing::is_unchanged) {
        return None;
    }
    let seen = look(copy.git_dir, copy.path.file_name().unwrap_or_default());
    let now = match &seen {
        Seen::File { content, .. } => content.expose(),
        Seen::Missing => return None,
        Seen::Strange(_) => return Some(Opened::Strange),
    };
    if now == copy.first {
        return None;
    }
    let texts = std::str::from_utf8(copy.first).ok().zip(std::str::from_utf8(now).ok());
    let Some(found) = texts.and_then(|(before, after)| changes(before, after, keys)) else {
        return Some(Opened::Strange);
    };
    let found: Vec<_> = found.into_iter().filter(|change| !change.harmless).collect();
    (!found.is_empty()).then_some(Opened::Changed(found))
}

impl Settled {
    /// Puts aside what waits, and then makes the changes that may be made: what fails loses nothing.
    fn copy(
        &mut self,
        copy: &GitConfigCopy<'_>,
        now: &[u8],
        keys: &GitKeys,
        facts: &HostFacts,
        quarantine: &mut Quarantine,
    ) -> Result<(), Error> {
        if now == copy.first {
            return Ok(());
        }
        let mut keep = |reason: &str| quarantine.keep_text(copy.path, copy.first, now, reason).map(Some);
        let texts = std::str::from_utf8(copy.first).ok().zip(std::str::from_utf8(now).ok());
        let Some(found) = texts.and_then(|(before, after)| changes(before, after, keys)) else {
            self.strange = Some("git would refuse it");
            self.kept = keep("git would refuse it")?;
            return Ok(());
        };
        let (reaching, withheld): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|change| change.harmless || copy.accept);
        self.withheld = withheld;
        if !self.withheld.is_empty() {
            self.kept = keep("changes of git's configuration that are not harmless")?;
        }
        match apply(&reaching, copy.git_dir, copy.path, facts) {
            Ok(()) => {
                (self.harmless, self.accepted) = reaching.into_iter().partition(|change| change.harmless);
            }
            Err(error) => {
                if self.kept.is_none() {
                    self.kept = keep("changes of git's configuration that could not be made")?;
                }
                self.withheld.extend(reaching);
                self.failed = Some(error);
            }
        }
        Ok(())
    }

    pub(super) fn report(&self, printer: &Printer) {
        let path = printable(self.path.as_str());
        let mut text = String::new();
        if let Some(strange) = self.strange {
            text.push_str(&format!(
                "The run's copy of `{path}` is not usable, and nothing of it reached the host: {strange}\n"
            ));
        }
        if !self.harmless.is_empty() {
            let keys: Vec<String> = self.harmless.iter().map(|change| change.key.dotted()).collect();
            printer.tell(&format!("Changed by the run in `{path}`: {}\n", printable(&keys.join(", "))));
        }
        if let Some(open) = &self.open {
            text.push_str(&open.text(&path));
        }
        if let Some(error) = &self.failed {
            printer.failure(error);
        }
        if !self.accepted.is_empty() {
            text.push_str(&format!("Changed in `{path}`, as you accepted:\n{}", lines(&self.accepted)));
        }
        if !self.withheld.is_empty() {
            text.push_str(&format!(
                "Changed inside and not on the host, `{path}`:\n{}",
                lines(&self.withheld)
            ));
        }
        if let Some(Item { id, now, .. }) = &self.kept {
            let now = printable(now.as_str());
            text.push_str(&format!(
                "It is kept in `{now}`.\nhint: `coffer quarantine restore {id} --accept-config` makes these changes on the host\n"
            ));
        }
        if !text.is_empty() {
            printer.insist(&text);
        }
    }
}

impl Opened {
    fn text(&self, path: &str) -> String {
        let (what, lines) = match self {
            Self::Changed(changes) => ("was changed", lines(changes)),
            Self::Strange => ("became something that git would refuse", String::new()),
        };
        format!(
            "warning: `{path}` itself {what} while the run lived, and was exchanged on the host: from then on the \
             agent could write it, too. Whether you or the agent did this cannot be known:\n{lines}\
             hint: look at it before git does: `less {}`\n",
            quote(path)
        )
    }
}
