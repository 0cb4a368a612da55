#[test]
fn every_shipped_file_reads_and_is_called_as_it_says() {
    for (name, agent) in super::agents().unwrap() {
        assert_eq!(name, agent.name);
    }
    assert!(super::profiles().unwrap().contains_key("toolchains"));
    let calls = super::system_calls().unwrap();
    assert!(calls.iter().all(|rule| !rule.reason.is_empty() && !rule.name.is_empty()));
    assert!(calls.iter().any(|rule| rule.calls.contains(&"clone3".to_owned()) && rule.answer == "ENOSYS"));
    assert!(!super::system().unwrap().folders.is_empty());
    assert!(super::secrets().unwrap().iter().any(|secret| secret.path.0 == "~/.ssh"));
}
