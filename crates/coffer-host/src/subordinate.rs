//! Ids that a user has in user namespaces: the processes of their rootless containers.

use std::ops::Range;

use camino::Utf8Path;
use coffer_plan::facts::UserFacts;

use crate::read::{MAX_BYTES, read_file};

/// Where they are given out.
const SUBUID: &str = "/etc/subuid";

/// Ids of user namespaces that are the user's, as `/etc/subuid` has them; none where there is no such file.
pub fn subordinate_uids(user: &UserFacts) -> Vec<Range<u32>> {
    given(Utf8Path::new(SUBUID), user)
}

fn given(file: &Utf8Path, user: &UserFacts) -> Vec<Range<u32>> {
    let Ok(found) = read_file(file, MAX_BYTES) else { return Vec::new() };
    let text = String::from_utf8_lossy(&found.content);
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let (whose, first, count) = (fields.next()?, fields.next()?, fields.next()?);
        let is_theirs = whose == user.name || whose.parse() == Ok(user.uid);
        let (first, count): (u32, u32) = (first.parse().ok()?, count.parse().ok()?);
        // Whatever the file says: nobody is given root, or ids that wrap around.
        let range = first..first.checked_add(count)?;
        (is_theirs && fields.next().is_none() && first > 0 && !range.is_empty()).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests;
