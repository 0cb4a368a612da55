//! What a run changed in its copies of git's configuration. What is harmless reaches the host, key by key; everything
//! else is shown and put aside.

use camino::Utf8PathBuf;
use coffer_account::beneath::{Seen, look};
use coffer_launch::run::GitConfigCopy;
use coffer_plan::built_in;
use coffer_plan::deferred::git_changes::{Change, changes};
use coffer_plan::facts::HostFacts;
use coffer_plan::show::audit::printable;

use crate::error::Error;
use crate::printer::Printer;
use crate::quarantine::git_config::{apply, lines};
use crate::quarantine::{Item, Quarantine};

/// What came of one copy.
pub(super) struct Settled {
    path: Utf8PathBuf,
    /// Changes that reached the host by the user's word.
    accepted: Vec<Change>,
    /// Changes that did not.
    withheld: Vec<Change>,
    /// The item that holds them.
    kept: Option<Item>,
    /// Why nothing of it can be told, if so.
    strange: Option<&'static str>,
}

/// Looks at a copy, and lets reach the host what may; `None` where there is nothing to tell.
pub(super) fn settle(
    copy: &GitConfigCopy<'_>,
    facts: &HostFacts,
    quarantine: &mut Quarantine,
) -> Result<Option<Settled>, Error> {
    let told = |strange, kept| {
        let path = copy.path.to_owned();
        Ok(Some(Settled { path, accepted: Vec::new(), withheld: Vec::new(), kept, strange: Some(strange) }))
    };
    let seen = look(copy.copy, copy.name);
    let now = match &seen {
        Seen::File { content, .. } => content.expose(),
        Seen::Missing => return told("it was removed", None),
        Seen::Strange(what) => return told(what, None),
    };
    if now == copy.first {
        return Ok(None);
    }
    let keys = built_in::deferred()?.git_keys;
    let texts = std::str::from_utf8(copy.first).ok().zip(std::str::from_utf8(now).ok());
    let Some(found) = texts.and_then(|(before, after)| changes(before, after, &keys)) else {
        let kept = quarantine.keep_text(copy.path, copy.first, now, "git would refuse it")?;
        return told("git would refuse it", Some(kept));
    };
    let (reaching, withheld): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|change| change.harmless || copy.accept);
    apply(&reaching, copy.git_dir, copy.path, facts)?;
    let accepted: Vec<_> = reaching.into_iter().filter(|change| !change.harmless).collect();
    if accepted.is_empty() && withheld.is_empty() {
        return Ok(None);
    }
    let reason = "changes of git's configuration that are not harmless";
    let kept = (!withheld.is_empty())
        .then(|| quarantine.keep_text(copy.path, copy.first, now, reason))
        .transpose()?;
    Ok(Some(Settled { path: copy.path.to_owned(), accepted, withheld, kept, strange: None }))
}

impl Settled {
    pub(super) fn report(&self, printer: &Printer) {
        let path = printable(self.path.as_str());
        let mut text = String::new();
        if let Some(strange) = self.strange {
            text.push_str(&format!(
                "The run's copy of `{path}` is not usable, and nothing of it reached the host: {strange}\n"
            ));
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
        printer.insist(&text);
    }
}
