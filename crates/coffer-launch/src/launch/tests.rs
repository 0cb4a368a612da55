//! What a launch is written as reads back as the same launch, and a shell sees the same words.

use coffer_plan::plan::{
    BackendKind, Controller, Door, DoorKind, Injection, Means, OldGroup, Ranges, Reference, RunFolder,
};
use proptest::prelude::*;

use super::{
    About, Allow, Engine, Gateway, Guard, HostPath, Injected, Launch, Limits, Made, ParseError, Part,
    PartKind, Place, Preparation, SeedContent, Word, quote,
};

/// Text that a command line may hold: everything but the zero byte.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--".to_owned()),
        Just("@".to_owned()),
        Just("@control".to_owned()),
        Just("@text:x".to_owned()),
        Just(r"a\n\\b".to_owned()),
        "[ '\"\\\\@$`!#~*?&;|<>(){}=:,%+\n\t\ra-zé☃-]{0,12}",
        "[^\0]{0,8}",
    ]
}

/// An absolute, clean path.
fn path() -> impl Strategy<Value = String> {
    "(/[ '\"\\\\@$=:a-zé☃-]{1,5}){1,3}"
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z_.-]{1,8}"
}

fn folder() -> impl Strategy<Value = RunFolder> {
    prop_oneof![Just(RunFolder::Lease), Just(RunFolder::State)]
}

fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![
        name().prop_map(Reference::HostEnv),
        (name(), path()).prop_map(|(name, file)| Reference::SettingsEnv { name, file: file.into() }),
        (name(), path()).prop_map(|(agent, file)| Reference::Settings { agent, file: file.into() }),
        (name(), path()).prop_map(|(agent, file)| Reference::McpServers { agent, file: file.into() }),
        path().prop_map(|file| Reference::Lease { account: "host".to_owned(), file: file.into() }),
        Just(Reference::AccountSecret { account: "work".to_owned() }),
        path().prop_map(|program| Reference::AccountHelper {
            account: "work".to_owned(),
            program: program.into()
        }),
        path().prop_map(|file| Reference::SettingsHelper { agent: "claude".to_owned(), file: file.into() }),
        path().prop_map(|file| Reference::CapabilityLogin { account: "host".to_owned(), file: file.into() }),
        Just(Reference::Capability),
        Just(Reference::GatewayUrl),
        folder().prop_map(Reference::Folder),
    ]
}

fn host_path() -> impl Strategy<Value = HostPath> {
    (path(), any::<u64>(), any::<u64>()).prop_map(|(path, dev, ino)| HostPath { path: path.into(), dev, ino })
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        text().prop_map(Word::Text),
        reference().prop_map(Word::Ref),
        text().prop_map(Word::Data),
        reference().prop_map(Word::DataRef),
        host_path().prop_map(Word::Open),
        Just(Word::Control),
        Just(Word::Gateway),
        Just(Word::Name),
        (made(), text()).prop_map(|(made, rest)| Word::Mount { made, rest }),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        folder().prop_map(Made::Folder),
        Just(Made::Sockets),
        (0..30_u8).prop_map(|number| Made::File(number.to_string())),
    ]
}

/// Where init sets the environment.
fn environment() -> impl Strategy<Value = Vec<(String, Word)>> {
    let value = prop_oneof![text().prop_map(Word::Text), reference().prop_map(Word::Ref)];
    prop::collection::vec((name(), value), 0..4)
}

fn engine() -> impl Strategy<Value = Engine> {
    (any::<bool>(), path()).prop_map(|(docker, path)| match docker {
        true => Engine {
            kind: BackendKind::Docker,
            connection: vec!["--host".to_owned(), format!("unix://{path}")],
        },
        false => Engine { kind: BackendKind::Podman, connection: Vec::new() },
    })
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![path().prop_map(|path| Place::Path(path.into())), folder().prop_map(Place::Run)]
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        host_path().prop_map(Guard::ReadOnly),
        host_path().prop_map(Guard::Pin),
        path().prop_map(|path| Guard::Held(path.into())),
        (host_path(), 0..30_u8, any::<bool>()).prop_map(|(config, number, accept)| Guard::GitConfig {
            config,
            name: number.to_string(),
            accept
        }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let what = prop_oneof![
        host_path().prop_map(PartKind::File),
        host_path().prop_map(PartKind::Folder),
        text().prop_map(PartKind::Link),
        text().prop_map(PartKind::Text),
    ];
    (path(), what).prop_map(|(path, what)| Part { below: path.trim_start_matches('/').into(), what })
}

fn preparation() -> impl Strategy<Value = Preparation> {
    let json = text().prop_map(|text| SeedContent::Text(format!("{{{text}}}")));
    let content = prop_oneof![json, reference().prop_map(SeedContent::Ref)];
    prop_oneof![
        path().prop_map(|path| Preparation::Own(path.into())),
        folder().prop_map(Preparation::Folder),
        (0..30_u8, 0..0o1000_u32, text()).prop_map(|(number, mode, text)| Preparation::File {
            name: number.to_string(),
            mode,
            content: SeedContent::Text(text)
        }),
        (name(), reference()).prop_map(|(name, content)| Preparation::Lease { name, content }),
        (0..30_u8, reference()).prop_map(|(number, content)| Preparation::File {
            name: number.to_string(),
            mode: 0o600,
            content: SeedContent::Ref(content)
        }),
        (place(), name(), content).prop_map(|(place, file, content)| Preparation::Seed {
            place,
            file,
            content
        }),
        (place(), name(), path()).prop_map(|(place, name, to)| Preparation::Link {
            place,
            name,
            to: to.into()
        }),
        (place(), path(), any::<bool>()).prop_map(|(place, below, folder)| {
            Preparation::Point { place, below: below.trim_start_matches('/').into(), folder }
        }),
        host_path().prop_map(Preparation::Expect),
        guard().prop_map(Preparation::Guard),
        part().prop_map(Preparation::Part),
        (path(), prop::option::of(text()))
            .prop_map(|(path, text)| Preparation::Hold { path: path.into(), text }),
        (place(), name()).prop_map(|(place, file)| Preparation::Login { place, file }),
    ]
}

fn gateway() -> impl Strategy<Value = Gateway> {
    (any::<u16>(), any::<bool>(), text(), reference()).prop_map(|(port, open, words, credential)| Gateway {
        doors: vec![
            Door { listen: Some(([127, 0, 0, 1], port).into()), kind: DoorKind::Proxy },
            Door { listen: None, kind: DoorKind::Forward { to: port } },
        ],
        open,
        allow: vec![Allow {
            host: "*.example.org".parse().unwrap(),
            port,
            ranges: Ranges::Private,
            origin: words.clone(),
        }],
        upstream: vec![("example.org".parse().unwrap(), ([127, 0, 0, 1], port).into())],
        ca_file: Some(words.clone().into()),
        publish: vec![(port, port)],
        injection: Some(Injected {
            account: words.clone(),
            credential,
            how: Injection {
                upstream: words.clone(),
                upstream_ref: Some(Reference::HostEnv("X".to_owned())),
                ranges: Ranges::Any,
                headers: vec![words.clone()],
                strip: vec![words],
                strip_query: Vec::new(),
                helper_ttl_ms: 1,
            },
        }),
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let enable = || vec![Controller::Memory, Controller::Cpu];
    let means = (0..3, path(), any::<bool>()).prop_map(move |(kind, path, step_aside)| match kind {
        0 => Means::V2 { folder: path.into(), enable: enable(), step_aside },
        1 => Means::Scope { program: path.into(), enable: enable() },
        _ => Means::V1 { groups: vec![OldGroup { controller: Controller::Pids, folder: path.into() }] },
    });
    let numbers = (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u32>>());
    (numbers, means).prop_map(|((memory, pids, cpus), means)| Limits { memory, pids, cpus, means })
}

fn launch() -> impl Strategy<Value = Launch> {
    let about =
        (text(), path(), text(), any::<bool>()).prop_map(|(agent, project, account, login_wins)| About {
            agent,
            project: project.into(),
            account,
            auth: "lease".to_owned(),
            backend: "bwrap".to_owned(),
            login_wins,
        });
    let parts = (
        ((path(), prop::option::of(about)), (prop::option::of(gateway()), prop::option::of(limits()))),
        (prop::collection::vec(preparation(), 0..6), prop::option::of(engine()), environment()),
        path(),
        prop::collection::vec(word(), 0..10),
        prop::collection::vec(word(), 1..6),
    );
    parts.prop_map(|(((runtime, about), (gateway, limits)), prepared, program, options, inside)| {
        let (preparations, engine, environment) = prepared;
        Launch {
            runtime: runtime.into(),
            about,
            gateway,
            key_agents: None,
            limits,
            engine,
            environment,
            preparations,
            program: program.into(),
            options,
            inside,
        }
    })
}

proptest! {
    #[test]
    fn a_launch_reads_back(launch in launch()) {
        let words = launch.words();
        prop_assert_eq!(words[0].as_str(), super::VERB);
        prop_assert_eq!(Launch::parse(&words[1..]).unwrap(), launch);
    }

    #[test]
    fn a_shell_sees_the_same_words(launch in launch()) {
        let line = launch.line("/opt/my coffer");
        let words = shlex::split(&line).unwrap();
        prop_assert_eq!(words[0].as_str(), "/opt/my coffer");
        prop_assert_eq!(&words[1..], &launch.words()[..]);
    }

    #[test]
    fn a_quoted_word_is_one_word(word in text()) {
        prop_assert_eq!(shlex::split(&quote(&word)).unwrap(), [word]);
    }

    #[test]
    fn no_words_make_reading_panic(words in prop::collection::vec(text(), 0..8)) {
        let _ = Launch::parse(&words);
    }

    /// Whatever begins with `@` and reads at all is written the same way again.
    #[test]
    fn marked_words_are_written_as_they_were_read(word in "@(text|ref|data|data-ref|open|control|name|mount)?(:[a-z:/\\\\n0-9]{0,12})?") {
        let words = ["--runtime", "/r", "--", "/b", "--"].map(str::to_owned).into_iter().chain([word.clone()]);
        if let Ok(launch) = Launch::parse(&words.collect::<Vec<_>>()) {
            let again = launch.words().pop().unwrap();
            prop_assert_eq!(Launch::parse(&launch.words()[1..]).unwrap(), launch);
            prop_assert!(again == word || word.starts_with("@text:") || word.starts_with("@open:"));
        }
    }
}

#[test]
fn plain_words_stay_plain() {
    for word in ["a", "--bind", "/usr/bin", "A=b", "1:2:/x", "a,b", "50%", "a+b", "a.b_c"] {
        assert_eq!(quote(word), word);
    }
    for (word, quoted) in [
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("@ref:env:X", "'@ref:env:X'"),
        ("~", "'~'"),
        ("$HOME", "'$HOME'"),
        ("a\nb", "'a\nb'"),
        ("é", "'é'"),
        ("!", "'!'"),
    ] {
        assert_eq!(quote(word), quoted);
    }
}

#[test]
fn the_shell_itself_agrees() {
    for word in ["", "it's", "a b", "$HOME `x` \\ \"q\"", "*", "~", "-n", "é☃", "a\nb", "!x", "#"] {
        let script = format!("printf '%s' {}", quote(word));
        let out = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), word);
    }
}

#[test]
fn what_is_no_launch_is_named() {
    let parse = |line: &str| Launch::parse(&shlex::split(line).unwrap()).unwrap_err();
    for (line, error) in [
        ("", ParseError::Missing("--")),
        ("--runtime", ParseError::Missing("a value")),
        ("--runtime /r", ParseError::Missing("--")),
        ("--runtime /r --", ParseError::Missing("the backend's program")),
        ("--runtime /r -- /bwrap", ParseError::Missing("the command inside")),
        ("--runtime /r -- /bwrap --", ParseError::Missing("the command inside")),
        ("-- /bwrap -- x", ParseError::Missing("--runtime")),
        ("--runtime /r --bogus x -- /bwrap -- x", ParseError::UnknownOption("--bogus".to_owned())),
        ("--runtime /r -- /bwrap @bogus -- x", ParseError::Word("@bogus".to_owned())),
        ("--runtime /r -- /bwrap @ref:bogus:x -- x", ParseError::Word("@ref:bogus:x".to_owned())),
        ("--runtime /r -- /bwrap @open:1:/x -- x", ParseError::Word("@open:1:/x".to_owned())),
        (r"--runtime /r -- /bwrap '@data:\x' -- x", ParseError::Word(r"@data:\x".to_owned())),
    ] {
        assert_eq!(parse(line), error, "{line}");
    }
    for (option, value) in [
        ("--folder", "other"),
        ("--lease", "name"),
        ("--lease", "name=env:X"),
        ("--seed", "/s/file={}"),
        ("--seed", "/s//file"),
        ("--seed", "@ref:env:X//file={}"),
        ("--link", "/s//name"),
        ("--point-file", "/s/below"),
        ("--expect", "1:/x"),
        ("--expect", "a:b:/x"),
    ] {
        let words = ["--runtime", "/r", option, value, "--", "/bwrap", "--", "x"].map(str::to_owned);
        let expected = ParseError::Value { option: option.to_owned(), value: value.to_owned() };
        assert_eq!(Launch::parse(&words).unwrap_err(), expected);
    }
}
