//! What could be seen and reached from inside the practice sandbox: asked there, not deduced.

use std::process::Command;

use super::practice_error;
use crate::error::Error;

/// Files of the practice home that an agent has no business with.
pub(super) const DECOYS: &[(&str, &str)] = &[
    (".ssh/id_ed25519", "FAKE practice key\n"),
    (".aws/credentials", "FAKE practice credentials\n"),
    (".config/gh/hosts.yml", "FAKE practice token\n"),
    ("letters/private.txt", "FAKE practice letter\n"),
    ("work/project/README.md", "# A practice project\n"),
];

/// One line an answer: its name, a tab, `yes` or `no`.
pub(super) const SCRIPT: &str = r#"
say() { printf '%s\t' "$1"; shift; if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
say 'read the project' cat README.md
say 'write the project' sh -c 'touch probe && rm probe'
for file in .ssh/id_ed25519 .aws/credentials .config/gh/hosts.yml letters/private.txt; do
    say "read ~/$file" cat "$HOME/$file"
done
say 'read the host login' cat "$HOME/.claude/.credentials.json"
say 'write to /usr' touch /usr/probe
say 'read the environment of the first process' cat /proc/1/environ
say 'change the kernel settings' sh -c 'echo x > /proc/sys/kernel/core_pattern'
say 'see processes of the host' sh -c 'test "$(ls -d /proc/[0-9]* | wc -l)" -gt 20'
"#;

/// The same, with the lease there. The arguments are the ends of the practice login's two tokens: the
/// search for the first shows that the search for the second would find it.
pub(super) const LEASE_SCRIPT: &str = r#"
say() { printf '%s\t' "$1"; shift; if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
say 'read the leased access token' grep -rqsaF -e "$1" /run "$HOME" /etc /var /tmp
say 'find the refresh token' grep -rqsaF -e "$2" /run "$HOME" /etc /var /tmp
"#;

/// What the sandbox shall be able to do; everything else that is asked it shall not.
const GRANTED: &[&str] = &["read the project", "write the project", "read the leased access token"];

/// What was seen from outside.
pub(super) struct Seen {
    pub(super) model_calls: usize,
    pub(super) token_requests: usize,
    pub(super) login_untouched: bool,
}

/// One answer, and whether it is as it should be.
pub(super) struct Finding {
    text: String,
    granted: bool,
    pub(super) well: bool,
}

/// Asks inside the two sandboxes, and adds what was seen from outside.
pub(super) fn findings(probe: Command, leased: Command, seen: Seen) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for mut command in [probe, leased] {
        let output = command.output().map_err(practice_error)?;
        if !output.status.success() {
            return Err(practice_error(String::from_utf8_lossy(&output.stderr)));
        }
        let answers = String::from_utf8_lossy(&output.stdout).into_owned();
        findings.extend(answers.lines().filter_map(|line| line.split_once('\t')).map(|(name, answer)| {
            let (can, may) = (answer == "yes", GRANTED.contains(&name));
            Finding { text: name.to_owned(), granted: can, well: can == may }
        }));
    }
    let outside = [
        (
            format!("answer a prompt with the leased token ({} calls)", seen.model_calls),
            seen.model_calls > 0,
            true,
        ),
        (
            format!("refresh the login ({} token requests)", seen.token_requests),
            seen.token_requests > 0,
            false,
        ),
        ("change the login on the host".to_owned(), !seen.login_untouched, false),
    ];
    findings.extend(outside.map(|(text, can, may)| Finding { text, granted: can, well: can == may }));
    Ok(findings)
}

/// For people.
pub(super) fn summary(findings: &[Finding]) -> String {
    let mut text = String::new();
    for (title, granted) in [("\nThe sandbox could", true), ("The sandbox could not", false)] {
        text.push_str(&format!("{title}\n"));
        for finding in findings.iter().filter(|finding| finding.granted == granted) {
            let mark = if finding.well { " " } else { "!" };
            text.push_str(&format!("{mark} {}\n", finding.text));
        }
    }
    if findings.iter().any(|finding| !finding.well) {
        text.push_str("Lines marked `!` are not as they should be.\n");
    }
    text
}
