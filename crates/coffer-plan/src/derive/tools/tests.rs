use crate::facts::{ToolAnswer, ToolEntry};
use crate::fixture::{Machine, mounts_on};
use crate::plan::{FileContent, ForwardSpec, MountOp, NetworkTier, Plan, Ranges};

/// One answer of a tool: keys, values and the hosts in them.
fn answer(tool: &str, source: &str, entries: &[(&str, &str, &[&str])]) -> ToolAnswer {
    let entry = |(key, value, hosts): &(&str, &str, &[&str])| ToolEntry {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
        withheld: false,
        endpoints: hosts.iter().map(|host| host.parse().unwrap()).collect(),
    };
    ToolAnswer {
        tool: tool.to_owned(),
        source: source.to_owned(),
        of_project: None,
        entries: entries.iter().map(entry).collect(),
        failed: None,
    }
}

fn of_project(tool: &str, file: &str, hosts: &[&str]) -> ToolAnswer {
    let mut answer = answer(tool, file, &[("registry", "x", hosts)]);
    answer.of_project = Some(file.into());
    answer
}

/// Ada's machine with these answers, in this tier.
fn machine(tier: NetworkTier, answers: &[ToolAnswer]) -> Machine {
    let answers = answers.to_vec();
    Machine::ada().with(|facts| facts.tools = answers).flags(|flags| flags.settings.network = Some(tier))
}

/// `host:port ranges origin` of every host that a tool or a file of the project let through.
fn allowed(plan: &Plan) -> Vec<String> {
    let by_tool = |origin: &str| origin.starts_with("tool") || origin.starts_with("project");
    let hosts = plan.network.allow.iter().filter(|allowed| by_tool(&allowed.origin.to_string()));
    hosts
        .map(|allowed| format!("{}:{} {:?} {}", allowed.host, allowed.port, allowed.ranges, allowed.origin))
        .collect()
}

fn file_inside(plan: &Plan, target: &str) -> Option<String> {
    match &mounts_on(plan, target).first()?.op {
        MountOp::File { content: FileContent::Text { text } } => Some(text.clone()),
        _ => None,
    }
}

fn npm() -> ToolAnswer {
    answer(
        "npm",
        "npm config get",
        &[
            ("registry", "https://a.example.org/npm/", &["a.example.org"]),
            ("@x:registry", "http://10.0.0.7:81/", &["10.0.0.7:81"]),
        ],
    )
}

#[test]
fn hosts_of_the_users_tools_are_let_through_where_the_tier_has_a_list() {
    let plan = machine(NetworkTier::Dev, &[npm()]).plan();
    assert_eq!(
        allowed(&plan),
        [
            "a.example.org:443 Private tool npm: registry in `npm config get`",
            "10.0.0.7:81 Any tool npm: @x:registry in `npm config get`",
        ]
    );
    for tier in [NetworkTier::None, NetworkTier::Agent, NetworkTier::Full] {
        let plan = machine(tier, &[npm(), of_project("npm", "/work/app/.npmrc", &["b.example.org"])]).plan();
        assert_eq!(allowed(&plan), Vec::<String>::new(), "{tier}");
        assert!(file_inside(&plan, "/home/ada/.npmrc").is_none() && plan.proposals.is_empty(), "{tier}");
    }
    // What is learned is learned with the user's registry.
    let plan = machine(NetworkTier::Learn, &[npm()]).plan();
    assert!(file_inside(&plan, "/home/ada/.npmrc").is_some());
}

#[test]
fn tools_find_their_registries_inside() {
    let pip = answer(
        "pip",
        "/home/ada/.config/pip/pip.conf",
        &[
            ("global.index-url", "https://a.example.org/simple", &["a.example.org"]),
            ("global.extra-index-url", "https://b.example.org", &["b.example.org"]),
            ("global.extra-index-url", "https://c.example.org", &["c.example.org"]),
            ("install.trusted-host", "b.example.org", &[]),
            ("global.find-links", "https://d.example.org", &["d.example.org"]),
        ],
    );
    let older = answer(
        "pip",
        "/etc/pip.conf",
        &[("global.index-url", "https://old.example.org", &["old.example.org"])],
    );
    let cargo = answer(
        "cargo",
        "/home/ada/.cargo/config.toml",
        &[
            ("registries.acme.index", "sparse+https://a.example.org/index/", &["a.example.org"]),
            ("source.\"my mirror\".registry", "https://a\"b.example.org/", &[]),
        ],
    );
    let plan = machine(NetworkTier::Dev, &[cargo, npm(), pip, older]).plan();
    assert_eq!(
        file_inside(&plan, "/home/ada/.npmrc").unwrap(),
        "registry=https://a.example.org/npm/\n@x:registry=http://10.0.0.7:81/\n"
    );
    assert_eq!(
        file_inside(&plan, "/home/ada/.config/pip/pip.conf").unwrap(),
        "[global]\nindex-url = https://a.example.org/simple\nextra-index-url = https://b.example.org\n    https://c.example.org\n\
         [install]\ntrusted-host = b.example.org\n"
    );
    let config: toml::Table = file_inside(&plan, "/home/ada/.cargo/config.toml").unwrap().parse().unwrap();
    assert_eq!(config["registries"]["acme"]["index"].as_str(), Some("sparse+https://a.example.org/index/"));
    assert_eq!(config["source"]["my mirror"]["registry"].as_str(), Some("https://a\"b.example.org/"));
    let origin = &mounts_on(&plan, "/home/ada/.npmrc")[0].origin;
    assert_eq!(origin.to_string(), "tool npm: registry, @x:registry");
}

#[test]
fn a_value_cannot_become_another_key() {
    let npm = answer(
        "npm",
        "npm config get",
        &[("registry", "https://a.example.org/\n_auth=x", &["a.example.org"]), ("@x=y:registry", "z", &[])],
    );
    let cargo =
        answer("cargo", "x", &[("source.a\nb.registry", "z", &[]), ("source.a = 1 #.registry", "z", &[])]);
    let plan = machine(NetworkTier::Dev, &[cargo, npm]).plan();
    assert_eq!(file_inside(&plan, "/home/ada/.npmrc"), None);
    assert_eq!(file_inside(&plan, "/home/ada/.cargo/config.toml"), None);
    assert_eq!(plan.notes.iter().filter(|note| note.text.contains("cannot be written inside")).count(), 2);
}

#[test]
fn a_mount_of_the_users_takes_the_place_of_what_is_written() {
    let config = "/home/ada/.config";
    let folder = machine(NetworkTier::Dev, &[answer("pip", "x", &[("global.index-url", "y", &[])])])
        .has(config, crate::facts::PathKind::Folder);
    assert!(file_inside(&folder.plan(), "/home/ada/.config/pip/pip.conf").is_some());
    let mounted =
        folder.mount(&["/home/ada/.config/pip"]).has("/home/ada/.config/pip", crate::facts::PathKind::Folder);
    assert!(file_inside(&mounted.plan(), "/home/ada/.config/pip/pip.conf").is_none());
}

#[test]
fn a_registry_on_this_machine_is_there_inside_at_its_port() {
    let here = |address: &str| answer("npm", "npm config get", &[("registry", "x", &[address])]);
    for address in ["127.0.0.1:4873", "localhost:4873", "[::1]:4873"] {
        let plan = machine(NetworkTier::Dev, &[here(address)]).plan();
        let ports: Vec<_> = plan.network.forward.iter().map(|service| service.what.clone()).collect();
        assert_eq!(ports, [ForwardSpec::Port(4873)], "{address}");
        assert_eq!(plan.network.forward[0].origin.to_string(), "tool npm: registry in `npm config get`");
    }
    let elsewhere = machine(NetworkTier::Dev, &[here("127.0.0.2:4873")]).plan();
    assert!(elsewhere.network.forward.is_empty());
    assert_eq!(elsewhere.network.allow.last().unwrap().ranges, Ranges::Any);
    for port in [80, 3128, 8377] {
        let plan = machine(NetworkTier::Dev, &[here(&format!("127.0.0.1:{port}"))]).plan();
        assert!(plan.network.forward.is_empty());
        assert!(plan.notes.iter().any(|note| note.text.contains("cannot be there inside")), "{port}");
    }
    // A person's word about the port stands.
    let published = machine(NetworkTier::Dev, &[here("127.0.0.1:4873")])
        .flags(|flags| flags.settings.publish = vec!["4873".parse().unwrap()])
        .plan();
    assert!(published.network.forward.is_empty());
}

#[test]
fn what_a_project_names_is_a_proposal_until_exactly_that_is_trusted() {
    let file = "/work/app/.npmrc";
    let named = |hosts: &[&str]| machine(NetworkTier::Dev, &[npm(), of_project("npm", file, hosts)]);
    let untrusted = named(&["b.example.org", "a.example.org", "b.example.org"]);
    let plan = untrusted.plan();
    assert_eq!(allowed(&plan).len(), 2, "only the user's");
    let proposals: Vec<String> =
        plan.proposals.iter().map(|note| format!("{} ({})", note.text, note.origin)).collect();
    let proposal = format!("host `b.example.org` (`coffer allow b.example.org`) (project file {file})");
    assert_eq!(proposals, [proposal], "once, and not what the user has anyway");
    let mut trusted = untrusted.clone();
    let found = super::named_by_project(&untrusted.policy(), &untrusted.facts);
    trusted.trust.0.insert((found[0].file.clone(), found[0].sha256.clone()));
    let plan = trusted.plan();
    assert!(plan.proposals.is_empty());
    assert_eq!(allowed(&plan)[2], format!("b.example.org:443 Public project file {file}"));
    // The same file with one host more is another one; with other words and the same hosts it is not.
    let mut more = named(&["a.example.org", "b.example.org", "c.example.org"]);
    more.trust = trusted.trust.clone();
    assert_eq!(more.plan().proposals.len(), 2);
    let mut same = named(&["a.example.org", "b.example.org"]);
    same.trust = trusted.trust.clone();
    assert!(same.plan().proposals.is_empty());
}

#[test]
fn a_projects_word_opens_no_network_of_the_users() {
    let file = "/work/app/.npmrc";
    let mut named = machine(NetworkTier::Dev, &[of_project("npm", file, &["10.0.0.7:81", "127.0.0.1:4873"])]);
    let plan = named.plan();
    assert!(plan.proposals.iter().any(|note| note.text == "port 4873 of this machine (`--forward 4873`)"));
    let found = super::named_by_project(&named.policy(), &named.facts);
    named.trust.0.insert((found[0].file.clone(), found[0].sha256.clone()));
    let plan = named.plan();
    assert!(plan.network.forward.is_empty());
    assert!(
        plan.network.allow.iter().all(|allowed| allowed.ranges == Ranges::Public),
        "{:?}",
        plan.network.allow
    );
}

#[test]
fn who_told_nothing_and_what_stays_outside_is_noted() {
    let mut failed = answer("npm", "npm config get", &[]);
    failed.failed = Some("it took longer than 10 s".to_owned());
    let mut secret =
        answer("npm", "/home/ada/.npmrc", &[("@x:registry", "https://a.example.org/", &["a.example.org"])]);
    secret.entries[0].withheld = true;
    let plan = machine(NetworkTier::Dev, &[failed, secret]).plan();
    let notes: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
    let [.., told, withheld] = notes[..] else { panic!("{notes:?}") };
    assert!(told.contains("took longer than 10 s") && told.contains("coffer learn"), "{told}");
    assert_eq!(withheld, "a credential in `@x:registry` of `/home/ada/.npmrc` stays outside");
}
