use std::os::unix::net::UnixListener;

use super::{listener, paths_in};
use crate::scratch::Scratch;

#[test]
fn paths_in_variables_are_found() {
    for (value, paths) in [
        ("unix:///run/docker.sock", vec!["/run/docker.sock"]),
        ("/run/agent.sock", vec!["/run/agent.sock"]),
        ("unix:path=/run/user/1000/bus", vec!["/run/user/1000/bus"]),
        ("unix:guid=1,path=/run/bus;unix:path=/run/../run/other", vec!["/run/bus", "/run/other"]),
        ("tcp://127.0.0.1:2375", vec![]),
        ("unix:abstract=/tmp/x", vec![]),
        ("ssh://host", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(paths_in(value), paths, "{value}");
    }
}

/// The control for what names dangerous programs: this test's own name is found the same way.
#[test]
fn who_listens_is_told_by_the_kernel() {
    let scratch = Scratch::new();
    let path = scratch.path("socket");
    assert_eq!(listener(&path), None);
    let socket = UnixListener::bind(&path).unwrap();
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(listener(&path).as_deref(), Some(own.trim_end()));
    drop(socket);
    assert_eq!(listener(&path), None, "nobody listens any more");
}
