use std::net::{SocketAddr, TcpListener};

use super::{MOST_ADDRESSES, first_of, in_turn};

fn addresses(text: &str) -> Vec<SocketAddr> {
    text.split(' ').map(|address| address.parse().unwrap()).collect()
}

#[test]
fn a_name_with_many_addresses_of_one_family_is_reached_by_the_other() {
    let many: String = (1..=12).map(|at| format!("[2001:db8::{at}]:443 ")).collect();
    let found = in_turn(addresses(&format!("{many}192.0.2.1:443 192.0.2.2:443")));
    assert_eq!(found.len(), MOST_ADDRESSES);
    assert_eq!(found[..4], addresses("[2001:db8::1]:443 192.0.2.1:443 [2001:db8::2]:443 192.0.2.2:443")[..]);
    assert_eq!(in_turn(addresses("192.0.2.1:1 192.0.2.2:1")), addresses("192.0.2.1:1 192.0.2.2:1"));
    assert!(in_turn(Vec::new()).is_empty());
}

#[test]
fn the_first_that_answers_is_taken_and_without_any_the_last_error_is_told() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = socket.local_addr().unwrap();
        // A port that was free a moment ago, and is not listened at.
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let reached = first_of(vec![closed, open]).await.unwrap();
        assert_eq!(reached.peer_addr().unwrap(), open);
        let refused = first_of(vec![closed, closed]).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(first_of(Vec::new()).await.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    });
}
