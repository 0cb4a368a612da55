//! What engines print, as it was seen.

use coffer_plan::facts::{EngineTrouble, ImageVariable};

use super::{docker, image, podman};

/// Podman 4.3.1 as root, cut.
const PODMAN: &str = r#"{"host":{"cgroupManager":"cgroupfs","cgroupControllers":[],"cgroupVersion":"v1",
    "idMappings":{"gidmap":null,"uidmap":null},"security":{"rootless":false,"selinuxEnabled":false},
    "serviceIsRemote":false},"store":{"graphDriverName":"overlay","graphOptions":{},"graphRoot":"/var/lib/c"},
    "version":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#;

#[test]
fn podman_tells_what_it_can_hold() {
    let known = podman::known_from(PODMAN);
    let all = ["memory", "pids", "cpu"].map(str::to_owned);
    let list = "/var/lib/c/overlay-images/images.json".into();
    assert_eq!(known.told(), (false, true, &all[..], Some(list)));
    // Version 1 of groups and an ordinary user: nothing is held.
    let rootless = PODMAN.replace(r#""rootless":false"#, r#""rootless":true"#);
    assert_eq!(podman::known_from(&rootless).told().2, &[] as &[String]);
    let modern = rootless.replace(r#""v1""#, r#""v2""#).replace("[]", r#"["memory","pids"]"#);
    assert_eq!(podman::known_from(&modern).told().2, ["memory".to_owned(), "pids".to_owned()]);
}

#[test]
fn one_id_alone_is_no_range() {
    let one = r#""uidmap":[{"container_id":0,"host_id":1001,"size":1}]"#;
    let two = r#""uidmap":[{"container_id":0,"host_id":1001,"size":1},{"container_id":1,"host_id":9,"size":65536}]"#;
    let with = |mapped: &str| podman::known_from(&PODMAN.replace(r#""uidmap":null"#, mapped)).told().1;
    assert!(!with(one));
    assert!(with(two));
}

#[test]
fn images_that_may_be_elsewhere_are_not_remembered() {
    let more = r#""graphOptions":{"overlay.imagestore":"/shared"}"#;
    let known = podman::known_from(&PODMAN.replace(r#""graphOptions":{}"#, more));
    assert_eq!(known.told().3, None);
}

#[test]
fn docker_tells_errors_with_code_zero() {
    let down = r#"{"ServerErrors":["Cannot connect to the Docker daemon"],"ClientInfo":{}}"#;
    assert!(matches!(docker::known_from(down), Err(EngineTrouble::Down { .. })));
    let podman = r#"{"host":{"arch":"amd64"},"version":{"Version":"4.3.1"}}"#;
    assert!(matches!(docker::known_from(podman), Err(EngineTrouble::Imitation { .. })));
    let fine = r#"{"ServerVersion":"20.10.24","OperatingSystem":"Debian","MemoryLimit":true,"PidsLimit":true,
        "CpuCfsQuota":false,"SecurityOptions":["name=seccomp,profile=default"]}"#;
    let (version, controllers) = docker::known_from(fine).unwrap();
    assert_eq!((version.as_str(), controllers.join(" ").as_str()), ("20.10.24", "memory pids"));
}

#[test]
fn an_image_shows_no_secret_of_its_environment() {
    let said = br#"[{"Id":"sha256:ab","Architecture":"amd64","Os":"linux","Config":{
        "Env":["PATH=/opt/bin:/bin","EMPTY=","API_TOKEN=sk-ant-FAKE","MYPASS=FAKE-pass","NOTHING"],"Volumes":{"/data":{}},
        "Labels":{"cofferdam.agent-version":"2.1.330","other":"x"}}}]"#;
    let image = image::parse(said).unwrap().unwrap();
    assert_eq!((image.id.as_str(), image.value("PATH")), ("sha256:ab", Some("/opt/bin:/bin")));
    assert_eq!(image.environment["API_TOKEN"], ImageVariable::Secret);
    assert_eq!(image.environment["EMPTY"], ImageVariable::Value(String::new()));
    // Its name is harmless, but nobody promised that its value is public.
    assert_eq!(image.environment["MYPASS"], ImageVariable::Set);
    assert_eq!((image.environment.len(), image.agent_version.as_deref()), (4, Some("2.1.330")));
    assert_eq!(image.volumes, ["/data"]);
    assert_eq!(image::parse(b"[]").unwrap(), None);
    assert!(image::parse(b"{").is_err());
    let bare = br#"[{"Id":"a","Architecture":"arm64","Config":{"Env":null,"Labels":{"cofferdam.agent-version":"$(x)"}}}]"#;
    let bare = image::parse(bare).unwrap().unwrap();
    assert_eq!((bare.environment.len(), bare.agent_version), (0, None));
}
