#[test]
fn every_shipped_file_reads_and_is_called_as_it_says() {
    for (name, agent) in super::agents().unwrap() {
        assert_eq!(name, agent.name);
    }
    assert!(super::profiles().unwrap().contains_key("toolchains"));
    assert!(!super::system().unwrap().folders.is_empty());
    assert!(super::secrets().unwrap().iter().any(|secret| secret.path.0 == "~/.ssh"));
}
