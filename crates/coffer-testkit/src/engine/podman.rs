//! Podman for one test: storage and run folders of its own, told to it by configuration files that variables name, so
//! that no flag is needed. The images lie in a store of the whole run, which podman reads as an additional one.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::place::{Place, Shared};
use super::user::User;
use super::{EngineError, Image, command, ran};

/// A podman of one test.
#[derive(Debug)]
pub(super) struct Podman {
    place: Place,
    /// The store of the run; without one its images are its own, too.
    images: Option<Shared>,
    user: Option<User>,
    env: Vec<(OsString, OsString)>,
}

impl Podman {
    /// As root, or as an ordinary user.
    pub(super) fn new(user: Option<User>) -> Result<Self, EngineError> {
        let name = match &user {
            None => "images-of-root".to_owned(),
            Some(user) => format!("images-of-{}", user.uid),
        };
        let ready = |folder: &Path| set_up(folder, user.as_ref(), None);
        let images = Shared::of_run(&name, ready, |_| Ok(()))?;
        Self::with(user, Some(images))
    }

    /// The same, with images of its own.
    pub(super) fn apart(user: Option<User>) -> Result<Self, EngineError> {
        Self::with(user, None)
    }

    fn with(user: Option<User>, images: Option<Shared>) -> Result<Self, EngineError> {
        let store = images.as_ref().map(|images| Folders::new(images.folder()).storage());
        let place = Place::new("podman", |folder| set_up(folder, user.as_ref(), store.as_deref()))?;
        let env = Folders::new(place.folder()).env(user.as_ref());
        Ok(Self { place, images, user, env })
    }

    pub(super) fn env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    pub(super) const fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// A folder of the engine's user.
    pub(super) fn folder(&self) -> PathBuf {
        Folders::new(self.place.folder()).own()
    }

    /// `HOME` for the engine where nobody has one of their own.
    pub(super) fn home(&self) -> PathBuf {
        Folders::new(self.place.folder()).home()
    }

    /// Storage, containers and what is known of them; the images of the run lie in a store apart.
    pub(super) fn keeps(&self) -> Vec<PathBuf> {
        let folders = Folders::new(self.place.folder());
        vec![folders.storage(), folders.run().join("storage"), folders.run().join("libpod")]
    }

    /// Puts the image in a store; false if it cannot be made here. A user's containers have their own ids for it, and
    /// Podman keeps a copy with those beside an image of its own, while of one in another store it makes a copy for each
    /// container: that is too much for a large one.
    pub(super) fn load(&self, image: Image) -> Result<bool, EngineError> {
        let Some(archive) = image.archive(&self.folder())? else { return Ok(false) };
        let import = |folder: &Path| {
            let folders = Folders::new(folder);
            let env = folders.env(self.user.as_ref());
            let mut import = command("podman".as_ref(), self.user.as_ref(), &folders.home(), &env);
            ran(import.args(["import", "--quiet"]).arg(&archive).arg(image.name())).map(drop)
        };
        match &self.images {
            Some(images) if self.user.is_none() || image != Image::Debian => {
                images.once(image.id(), || import(images.folder()))?;
            }
            Some(_) | None => import(self.place.folder())?,
        }
        Ok(true)
    }
}

/// Makes what lies in a place; there is no daemon for it.
fn set_up(folder: &Path, user: Option<&User>, images: Option<&Path>) -> Result<Vec<OsString>, EngineError> {
    let made = Folders::new(folder).write(user, images);
    made.map(|()| Vec::new()).map_err(|error| EngineError::Folder(folder.to_owned(), error))
}

/// What lies where in a place.
struct Folders<'a>(&'a Path);

impl<'a> Folders<'a> {
    const fn new(place: &'a Path) -> Self {
        Self(place)
    }

    /// What the user may write to; the rest is ours.
    fn own(&self) -> PathBuf {
        self.0.join("own")
    }

    fn home(&self) -> PathBuf {
        self.own().join("home")
    }

    fn run(&self) -> PathBuf {
        self.own().join("run")
    }

    fn storage(&self) -> PathBuf {
        self.own().join("storage")
    }

    /// The runtime's records are in the session's folder, so it must be the same for all that one user starts.
    fn env(&self, user: Option<&User>) -> Vec<(OsString, OsString)> {
        let mut env = vec![
            ("CONTAINERS_CONF", self.0.join("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", self.0.join("storage.conf")),
            ("CONTAINERS_REGISTRIES_CONF", self.0.join("registries.conf")),
        ];
        env.extend(user.map(|_| ("XDG_RUNTIME_DIR", self.run())));
        env.into_iter().map(|(name, path)| (name.into(), path.into())).collect()
    }

    fn write(&self, user: Option<&User>, images: Option<&Path>) -> io::Result<()> {
        for folder in [self.own(), self.home(), self.run(), self.storage()] {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
            if let Some(user) = user {
                std::os::unix::fs::chown(&folder, Some(user.uid), Some(user.gid))?;
            }
        }
        for (name, text) in [
            ("containers.conf", self.containers_conf(user.is_some())),
            ("storage.conf", self.storage_conf(images)),
            // No name is looked up anywhere.
            ("registries.conf", "unqualified-search-registries = []\n".to_owned()),
            ("end", self.end(user)),
        ] {
            let path = self.0.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
        }
        Ok(())
    }

    /// - `runc` and `cgroupfs`: crun refuses cgroups of both versions at once, and systemd is not everywhere.
    /// - Root's network is the host's unless the command says otherwise: the engine's own default is a bridge, for
    ///   which it writes rules of the host's firewall.
    /// - Locks are files: those in shared memory are one set for all storages of a user.
    fn containers_conf(&self, rootless: bool) -> String {
        let (run, limits) = (self.run(), limits());
        let network = if rootless { "" } else { "netns = \"host\"\n" };
        format!(
            "[containers]\ndefault_ulimits = [{limits}]\n{network}\
             [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{run}/networks\"\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             lock_type = \"file\"\ntmp_dir = \"{run}/libpod\"\n",
            run = run.display(),
        )
    }

    fn storage_conf(&self, images: Option<&Path>) -> String {
        let (storage, run) = (self.storage(), self.run());
        let images = images.map(|store| format!("additionalimagestores = [\"{}\"]\n", store.display()));
        format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{storage}\"\nrootless_storage_path = \"{storage}\"\n\
             runroot = \"{run}/storage\"\n[storage.options]\n{}",
            images.unwrap_or_default(),
            storage = storage.display(),
            run = run.display(),
        )
    }

    /// What the keeper does first when the place goes. The pause process holds the rootless engine's namespaces; what
    /// lies in the storage belongs to ids that only these can name.
    fn end(&self, user: Option<&User>) -> String {
        let env: Vec<String> = self
            .env(user)
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .collect();
        let podman = format!(
            "{}env HOME={} {} podman",
            user.map(User::prefix).unwrap_or_default(),
            self.home().display(),
            env.join(" ")
        );
        let storage = self.storage();
        let mut script = format!("{podman} rm --force --all --time 0\n");
        if user.is_some() {
            let (pause, storage) = (self.run().join("libpod/pause.pid"), storage.display());
            script += &format!("{podman} unshare rm -rf {storage}\nkill \"$(cat {})\"\n", pause.display());
        }
        script
    }
}

/// What we ourselves are limited to: the engine's own defaults are more than some machines let even root have. Podman lowers
/// its own number of processes to the kernel's highest id before it asks for more.
fn limits() -> String {
    let highest =
        fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse().ok());
    let nproc = getrlimit(Resource::Nproc).maximum.into_iter().chain(highest).min();
    [("nofile", getrlimit(Resource::Nofile).maximum), ("nproc", nproc)]
        .into_iter()
        .filter_map(|(name, limit)| limit.map(|limit: u64| format!("\"{name}={limit}:{limit}\"")))
        .collect::<Vec<_>>()
        .join(", ")
}
