use super::{Style, audit, printable};
use crate::facts::PathKind::{File, Folder};
use crate::fixture::Machine;
use crate::origin::{Origin, OriginLayer};
use crate::plan::{CheckedPlan, Mount, MountOp, Source};

const PLAIN: Style = Style { color: false };

fn colourless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    out + rest
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plan = Machine::ada().secret_env("ANTHROPIC_API_KEY").config("env.set = { A = 'b' }").plan();
    let (plain, coloured) = (audit(&plan, PLAIN), audit(&plan, Style { color: true }));
    assert!(!plain.contains('\x1b'));
    assert_eq!(colourless(&coloured), plain);
    for mark in
        ["\x1b[32m[~]\x1b[0m HOME", "\x1b[33m[>]\x1b[0m TERM", "\x1b[36m[+]\x1b[0m A=b", "\x1b[31mwarning:"]
    {
        assert!(coloured.contains(mark), "{mark:?} in {coloured}");
    }
}

#[test]
fn the_sections_come_in_their_order() {
    let text = audit(&Machine::ada().plan(), PLAIN);
    let places: Vec<usize> = ["Environment\n", "Mounts\n", "Network\n", "Sign-in\n"]
        .iter()
        .map(|title| text.find(title).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.ends_with('\n'));
}

#[test]
fn secrets_are_masked_and_told_by_their_labels() {
    let machine = Machine::ada().secret_env("ANTHROPIC_API_KEY").with(|facts| {
        let proxy = crate::facts::EnvFact::Redacted("https://gateway:8443".to_owned());
        facts.environment.insert("ANTHROPIC_BASE_URL".to_owned(), proxy);
    });
    let text = audit(&machine.plan(), PLAIN);
    assert!(text.contains("[>] ANTHROPIC_API_KEY=****\n"), "{text}");
    assert!(text.contains("[>] ANTHROPIC_BASE_URL=**** (https://gateway:8443)\n"), "{text}");
}

/// A plan with every operation, and each of them in words.
#[test]
fn every_operation_has_its_line() {
    let mut plan = Machine::ada()
        .has("/home/ada/data", Folder)
        .has("/home/ada/src/app/.env", File)
        .has("/home/ada/.claude/CLAUDE.md", File)
        .mount(&["~/data:/data:rw"])
        .config("hide = ['.env']")
        .plan()
        .0
        .clone();
    let flag = || Origin::flag("--x");
    let push = |plan: &mut crate::plan::Plan, op, target: &str| {
        plan.mounts.push(Mount { op, target: target.into(), origin: flag() });
    };
    push(&mut plan, MountOp::Tmpfs { mode: 0o755 }, "/t");
    push(&mut plan, MountOp::Proc, "/p");
    push(&mut plan, MountOp::Dev, "/d");
    push(&mut plan, MountOp::Symlink { source: "to".to_owned() }, "/l");
    push(&mut plan, MountOp::Mask { folder: true }, "/m");
    let text = audit(&CheckedPlan(plan), PLAIN);
    for line in [
        "  rw  /data <- ~/data  [flag --mount]",
        "  ro  /home/ada/.claude/CLAUDE.md  [agent claude: user_config]",
        "  rw  /home/ada/.claude <- ~/.local/share/cofferdam/state/",
        "  rw  /run/coffer/lease <- this run's lease folder",
        "  ro  /home/ada/.gitconfig (made for the run)",
        "  --  /home/ada/src/app/.env (hidden)",
        "  rw  /t (empty, in memory, gone after the run)  [flag --x]",
        "  ro  /p (its own processes)  [flag --x]",
        "  rw  /d (its own devices)  [flag --x]",
        "  ro  /l -> to  [flag --x]",
        "  --  /m (hidden)  [flag --x]",
        "  --  empty and private: /proc /dev",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn control_and_reordering_characters_are_written_out() {
    for (text, shown) in [
        ("plain é ☃ \u{1f600} ~", "plain é ☃ \u{1f600} ~"),
        ("a\nb\tc", "a\\u{a}b\\u{9}c"),
        ("\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"),
        ("\u{9b}31m", "\\u{9b}31m"),
        ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
        ("a\u{200b}b\u{feff}\u{61c}\u{2028}", "a\\u{200b}b\\u{feff}\\u{61c}\\u{2028}"),
    ] {
        assert_eq!(printable(text), shown);
    }
}

/// Whoever names a folder, a variable or a host cannot move the cursor.
#[test]
fn nothing_of_a_plan_reaches_the_terminal_raw() {
    const EVIL: &str = "\x1b[2K\u{202e}\n";
    let mut plan = Machine::ada().secret_env("ANTHROPIC_API_KEY").plan().0.clone();
    plan.command.agent.push_str(EVIL);
    plan.command.argv.push(EVIL.to_owned());
    plan.command.workdir.push(EVIL);
    plan.identity.user.push_str(EVIL);
    for entry in &mut plan.environment {
        entry.name.push_str(EVIL);
        match &mut entry.value {
            crate::plan::EnvValue::Value { value } => value.push_str(EVIL),
            crate::plan::EnvValue::Reference { label, .. } => label.push_str(EVIL),
        }
    }
    for mount in &mut plan.mounts {
        mount.target.push(EVIL);
        mount.origin = Origin::new(OriginLayer::ProjectFile, EVIL);
        match &mut mount.op {
            MountOp::Bind { source: Source::Host { path, .. } | Source::Own { path }, .. } => path.push(EVIL),
            MountOp::Symlink { source } => source.push_str(EVIL),
            MountOp::File { content: crate::plan::FileContent::Reference { label, .. } } => {
                label.push_str(EVIL)
            }
            _ => {}
        }
    }
    let origin = Origin::flag(EVIL);
    plan.network.origin = origin.clone();
    plan.network.allow.push(crate::plan::AllowedHost {
        host: "*.example.org".parse().unwrap(),
        port: 1,
        ranges: crate::plan::Ranges::Public,
        origin: origin.clone(),
    });
    let what = crate::plan::ForwardSpec::Socket(EVIL.into());
    plan.network.forward.push(crate::plan::Forward { what, origin: origin.clone() });
    plan.network.ca_file = Some(EVIL.into());
    plan.credential.account.push_str(EVIL);
    plan.credential.file.as_mut().unwrap().push(EVIL);
    plan.sign_in.winner.as_mut().unwrap().push_str(EVIL);
    plan.sign_in.reason.push_str(EVIL);
    plan.sign_in.warning = Some(EVIL.to_owned());
    plan.notes.push(crate::plan::Note { text: EVIL.to_owned(), origin: origin.clone() });
    plan.proposals.push(crate::plan::Note { text: EVIL.to_owned(), origin });
    let text = audit(&CheckedPlan(plan), PLAIN);
    assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
    assert!(!text.lines().any(str::is_empty), "{text:?}");
}
