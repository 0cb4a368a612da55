use super::{Answer, env, host, path};
use crate::facts::PathKind::{File, Folder};
use crate::fixture::Machine;
use crate::origin::Origin;
use crate::plan::{AllowedHost, NetworkTier, Ranges};

fn ada() -> Machine {
    Machine::ada()
        .has("/home/ada/src/app/.env", File)
        .has("/home/ada/src/app/vendor", Folder)
        .has("/home/ada/data", Folder)
        .secret_env("GITHUB_TOKEN")
        .secret_env("ANTHROPIC_API_KEY")
        .mount(&["~/data"])
        .config("hide = ['.env']\nreadonly = ['vendor']\nenv.set = { A = 'b' }")
}

fn chain(answer: &Answer) -> Vec<(&str, &str)> {
    answer.chain.iter().map(|reason| (reason.text.as_str(), reason.origin.as_str())).collect()
}

#[test]
fn why_a_path() {
    let machine = ada();
    let (plan, policy) = (machine.plan(), machine.policy());
    for (asked, verdict, first, origin) in [
        ("/home/ada/src/app/main.rs", "read-write", "`/home/ada/src/app` is bound rw", "built-in project"),
        ("/home/ada/src/app/vendor/x", "read-only", "`/home/ada/src/app/vendor` is bound ro", "user file"),
        ("/home/ada/src/app/.env", "hidden", "`/home/ada/src/app/.env` is hidden", "user file"),
        ("/home/ada/data/x", "read-only", "bound ro from `/home/ada/data`", "flag --mount"),
        ("/home/ada/.claude/todos", "read-write", "state/claude/projects", "built-in default: state project"),
        ("/run/coffer/lease/x", "read-write", "this run's lease folder", "built-in default: auth lease"),
        ("/home/ada/.gitconfig", "read-only", "is a file made for the run", "built-in git identity"),
        ("/bin/sh", "read-only", "`/bin` is a link to `usr/bin`", "built-in system"),
        ("/usr/lib/x", "read-only", "bound ro from `/usr`", "built-in system"),
        ("/tmp", "private", "is an empty folder in memory", "built-in private"),
        ("/proc", "private", "the sandbox's own processes", "built-in private"),
        ("/dev", "private", "harmless devices", "built-in private"),
        ("/home/ada/Documents", "hidden", "nothing of the host is in it", "built-in private home"),
        ("/etc/shadow", "hidden", "nothing of the plan shows it", "built-in"),
        ("/home", "hidden", "nothing of the plan shows it", "built-in"),
    ] {
        let answer = path(&plan, &policy, asked.into());
        assert_eq!((answer.verdict, answer.subject.as_str(), answer.schema), (verdict, asked, 1));
        let (text, by) = chain(&answer)[0];
        assert!(text.contains(first), "{asked}: {text}");
        assert!(by.starts_with(origin), "{asked}: {by}");
    }
}

#[test]
fn the_chain_goes_from_what_counts_to_what_it_covers() {
    let machine = ada();
    let answer = path(&machine.plan(), &machine.policy(), "/home/ada/src/app/.env".into());
    let texts: Vec<&str> = chain(&answer).iter().map(|(text, _)| *text).collect();
    assert_eq!(texts.len(), 4);
    assert!(
        texts[0].contains("is hidden") && texts[1].contains("bound rw") && texts[2].contains("in memory")
    );
    // The home is granted more widely, so nobody but the mount hides it.
    assert!(
        texts[3].starts_with("Landlock lets it be written")
            && texts[3].ends_with("the mount alone narrows that")
    );
    let answer = path(&machine.plan(), &machine.policy(), "/usr/bin/env".into());
    assert_eq!(chain(&answer)[1], ("Landlock lets it be read, beneath `/usr`", "built-in system"));
}

#[test]
fn a_secret_says_so() {
    let machine = ada();
    let answer = path(&machine.plan(), &machine.policy(), "/home/ada/.ssh/id_ed25519".into());
    assert_eq!(answer.verdict, "hidden");
    let (text, by) = *chain(&answer).last().unwrap();
    assert_eq!((text, by), ("`/home/ada/.ssh` holds ssh keys; no mount may show it", "built-in secrets"));
}

#[test]
fn why_a_variable() {
    let machine = ada().with(|facts| {
        facts.environment.insert("COLORTERM".to_owned(), crate::facts::EnvFact::Empty);
    });
    let plan = machine.plan();
    for (name, verdict, words, origin) in [
        ("TERM", "set", "`TERM` is `xterm-256color`", "built-in env allowlist"),
        ("HOME", "set", "`HOME` is `/home/ada`", "built-in made by the sandbox"),
        ("A", "set", "`A` is `b`", "user file"),
        ("ANTHROPIC_API_KEY", "set", "comes from `@ref:env:ANTHROPIC_API_KEY` (set)", "built-in default"),
        (
            "GITHUB_TOKEN",
            "not set",
            "set on the host and nothing passes it; `--env GITHUB_TOKEN` would",
            "built-in",
        ),
        ("COLORTERM", "not set", "empty on the host", "built-in"),
        ("ABSENT", "not set", "not set on the host", "built-in"),
    ] {
        let answer = env(&plan, &machine.facts, name);
        assert_eq!((answer.verdict, answer.chain.len()), (verdict, 1), "{name}");
        let (text, by) = chain(&answer)[0];
        assert!(text.contains(words) && by.starts_with(origin), "{name}: {text} ({by})");
    }
}

#[test]
fn why_a_host() {
    let tier = |tier| {
        let mut plan = ada().plan();
        plan.0.network.tier = tier;
        let host = "api.example.org".parse().unwrap();
        let origin = Origin::flag("--allow");
        plan.0.network.allow = vec![AllowedHost { host, port: 443, ranges: Ranges::Private, origin }];
        plan
    };
    for (tier_, name, verdict) in [
        (NetworkTier::Full, "example.org:443", "reachable"),
        (NetworkTier::Learn, "example.org:443", "reachable"),
        (NetworkTier::None, "api.example.org:443", "not reachable"),
        (NetworkTier::Dev, "api.example.org:443", "reachable"),
        (NetworkTier::Dev, "API.example.org.", "reachable"),
        (NetworkTier::Dev, "api.example.org:80", "not reachable"),
        (NetworkTier::Agent, "example.org:443", "not reachable"),
    ] {
        let answer = host(&tier(tier_), name).unwrap();
        assert_eq!(answer.verdict, verdict, "{tier_} {name}");
        let allowed = verdict == "reachable" && matches!(tier_, NetworkTier::Dev);
        assert_eq!(chain(&answer)[0].1 == "flag --allow", allowed);
        let port = if name.ends_with(":80") { 80 } else { 443 };
        assert!(answer.subject.ends_with(&format!("example.org:{port}")), "{}", answer.subject);
    }
    assert!(host(&tier(NetworkTier::Dev), "a b").is_err());
}
