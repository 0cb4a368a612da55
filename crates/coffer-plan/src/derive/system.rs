//! The system's part: read-only folders, `/etc` as an allowlist, private folders, our own init.

use camino::{Utf8Path, Utf8PathBuf};

use super::credential::SignedIn;
use super::mounts::MountList;
use super::shared;
use super::walls;
use super::{INIT, LEASE};
use crate::facts::PathKind;
use crate::origin::Origin;
use crate::path::{PathTemplate, clean, is_within};
use crate::plan::{Access, FileContent, Identity, MountOp, NetworkTier, Reference, RunFolder, Source};
use crate::policy::Policy;

/// System folders, private folders and the empty home.
pub(super) fn mounts(list: &mut MountList<'_>, policy: &Policy, identity: &Identity) {
    let origin = Origin::built_in("system");
    let folders: Vec<Utf8PathBuf> =
        policy.system.folders.iter().filter_map(|folder| folder.expand(list.facts)).collect();
    for folder in &folders {
        bind_or_link(list, folder, &folders, &origin);
    }
    etc(list, policy, identity, &folders);
    let private = Origin::built_in("private");
    list.push(MountOp::Proc, "/proc", private.clone());
    let as_root: &[PathTemplate] =
        if list.facts.user.uid == 0 { &policy.system.proc_hidden_from_root } else { &[] };
    let of_all: &[PathTemplate] =
        if walls::has_whole_proc(policy, list.facts) { &[] } else { &policy.system.proc_hidden };
    let hidden = of_all.iter().chain(as_root);
    for path in hidden.filter_map(|path| path.expand(list.facts)) {
        if list.facts.exists(&path) {
            list.push(MountOp::Mask { folder: false }, path, Origin::built_in("hidden in /proc"));
        }
    }
    list.push(MountOp::Dev, "/dev", private.clone());
    private_folders(list, identity, &private);
}

/// Empty folders in memory, and the empty home.
pub(super) fn private_folders(list: &mut MountList<'_>, identity: &Identity, private: &Origin) {
    for (folder, mode) in [("/dev/shm", 0o1777), ("/tmp", 0o1777), ("/var/tmp", 0o1777), ("/run", 0o755)] {
        list.push(MountOp::Tmpfs { mode }, folder, private.clone());
    }
    if !list.has_target(&identity.home) {
        list.push(MountOp::Tmpfs { mode: 0o755 }, identity.home.clone(), Origin::built_in("private home"));
    }
}

/// A link whose end is shown anyway is made again as a link (`/bin` → `usr/bin`); everything else is
/// bound.
fn bind_or_link(list: &mut MountList<'_>, path: &Utf8Path, shown: &[Utf8PathBuf], origin: &Origin) {
    let Some(fact) = list.facts.path(path) else { return };
    if let Some(link) = &fact.link {
        let end = clean(&path.parent().unwrap_or(path).join(link));
        let is_shown = shown.iter().any(|folder| folder != path && is_within(&end, folder));
        if is_shown {
            list.push(MountOp::Symlink { source: link.clone() }, path, origin.clone());
            return;
        }
    }
    list.bind_if_there(path, path, origin);
}

fn etc(list: &mut MountList<'_>, policy: &Policy, identity: &Identity, folders: &[Utf8PathBuf]) {
    let origin = Origin::built_in("etc allowlist");
    for name in &policy.system.etc {
        bind_or_link(list, &Utf8Path::new("/etc").join(name), folders, &origin);
    }
    let made = Origin::built_in("made for the sandbox");
    let (passwd, group) = users(identity, shell(list));
    let hostname = &identity.hostname;
    let mut files =
        vec![("/etc/passwd", passwd), ("/etc/group", group), ("/etc/hostname", format!("{hostname}\n"))];
    let hosts_kind = list.facts.path(Utf8Path::new("/etc/hosts")).map(|fact| fact.kind);
    if policy.network.value == NetworkTier::Full && hosts_kind == Some(PathKind::File) {
        list.bind_if_there(Utf8Path::new("/etc/hosts"), Utf8Path::new("/etc/hosts"), &origin);
    } else {
        files.push(("/etc/hosts", hosts(hostname)));
    }
    for (target, text) in files {
        list.push(MountOp::File { content: FileContent::Text { text } }, target, made.clone());
    }
}

/// Who is who on a network of one's own.
pub(super) fn hosts(hostname: &str) -> String {
    format!("127.0.0.1 localhost {hostname}\n::1 localhost\n")
}

/// `/etc/passwd` and `/etc/group` with the user, root and nobody.
pub(super) fn users(identity: &Identity, shell: &str) -> (String, String) {
    let Identity { uid, gid, user, home, .. } = identity;
    let mut passwd = format!("{user}:x:{uid}:{gid}:{user}:{home}:{shell}\n");
    let mut group = format!("{user}:x:{gid}:\n");
    if *uid != 0 {
        passwd.insert_str(0, "root:x:0:0:root:/root:/bin/sh\n");
    }
    if *gid != 0 {
        group.insert_str(0, "root:x:0:\n");
    }
    passwd.push_str("nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n");
    group.push_str("nogroup:x:65534:\n");
    (passwd, group)
}

/// The login shell inside.
pub(super) fn shell(list: &MountList<'_>) -> &'static str {
    let has_bash = ["/bin/bash", "/usr/bin/bash"].iter().any(|path| list.facts.exists(Utf8Path::new(path)));
    if has_bash { "/bin/bash" } else { "/bin/sh" }
}

/// The lease folder of this run or the shared login folder, if a login crosses, and our own init.
pub(super) fn login_and_init(list: &mut MountList<'_>, policy: &Policy, signed_in: &SignedIn) {
    let credential = &signed_in.credential;
    if let Some(shared) = &signed_in.shared {
        shared::mounts(list, policy, shared);
    }
    if matches!(credential.reference, Some(Reference::Lease { .. })) {
        let op = MountOp::Bind { source: Source::Run { folder: RunFolder::Lease }, access: Access::Rw };
        list.push(op, LEASE, credential.origin.about(format!("auth {}", credential.mode)));
    }
    let coffer = list.facts.coffer.clone();
    list.bind(&coffer, Utf8Path::new(INIT), Access::Ro, &Origin::built_in("init"));
}
