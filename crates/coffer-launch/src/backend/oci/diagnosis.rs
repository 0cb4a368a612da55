//! What an engine's own messages mean, and what to do about them.

use coffer_plan::plan::BackendKind;

/// Beginnings of messages, and the fix; the first that fits counts.
const FIXES: &[(&str, &str)] = &[
    (
        "no space left on device",
        "the engine's storage is full: make room on its disk, for example with `{kind} system prune`",
    ),
    ("No such image", "`coffer image build`, or another image with `--image REF`"),
    ("image not known", "`coffer image build`, or another image with `--image REF`"),
    (
        "is already in use",
        "a container of this name is there and none of ours: run it again, the next one has another name",
    ),
    ("exec format error", "the image is for another machine: build or choose one for this machine"),
    (
        "setting rlimits",
        "the engine asks for more than this machine allows: set `default_ulimits` in `containers.conf` to at most \
         what `ulimit -Hn` and `ulimit -Hu` say",
    ),
    (
        "RLIMIT_NOFILE",
        "the engine asks for more than this machine allows: set `default_ulimits` in `containers.conf` to at most \
         what `ulimit -Hn` and `ulimit -Hu` say",
    ),
    (
        "OCI permission denied",
        "a rootless engine gets into no folder that belongs to a group of others and is closed to everybody else: \
         `chgrp` it to your own group, or `chmod o+x` it",
    ),
    ("Cannot connect to the Docker daemon", "`sudo systemctl start docker`"),
];

/// The fix for what an engine said before the sandbox's init ran; `None` when its words tell enough.
pub fn diagnose(kind: BackendKind, said: &str) -> Option<String> {
    let said = said.to_lowercase();
    let (_, fix) = FIXES.iter().find(|(words, _)| said.contains(&words.to_lowercase()))?;
    Some(fix.replace("{kind}", kind.word()))
}
