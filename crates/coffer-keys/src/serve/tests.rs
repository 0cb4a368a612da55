use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use super::{Filter, Keys, MAX_CONNECTIONS, Used, Warden, serve};

struct Nobody;

impl Warden for Nobody {
    fn agrees(&self, _: &'static str, _: &str, _: &str) -> bool {
        false
    }

    fn used(&self, _: &'static str, _: &Used) {}
}

fn answers(stream: &mut UnixStream) -> bool {
    let mut answer = [0; 5];
    // Adding a key: refused, so that the agent is never asked.
    stream.write_all(&[0, 0, 0, 1, 17]).and_then(|()| stream.read_exact(&mut answer)).is_ok()
        && answer == [0, 0, 0, 1, 5]
}

/// Who comes when all places are taken is hung up on; a place that is given back is free again.
#[test]
fn connections_have_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let filter = Filter {
        keys: Keys::Ssh(BTreeMap::new()),
        agent: folder.path().join("nobody"),
        warden: Arc::new(Nobody),
    };
    serve(listener, filter).unwrap();
    let connect = || UnixStream::connect(&path).unwrap();
    let mut open: Vec<UnixStream> = (0..MAX_CONNECTIONS).map(|_| connect()).collect();
    assert!(open.iter_mut().all(answers));
    assert!(!answers(&mut connect()));
    // Nothing that is no frame is answered, and the connection ends.
    let mut first = open.remove(0);
    first.write_all(&[255; 4]).unwrap();
    assert_eq!(first.read_to_end(&mut Vec::new()).unwrap(), 0);
    // Its thread is about to give the place back.
    while !answers(&mut connect()) {
        std::thread::yield_now();
    }
}
