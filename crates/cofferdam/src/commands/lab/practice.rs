//! The practice API of the lab, the genuine agents it tries, and how they are started together.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coffer_testkit::fake::fingerprint;
use coffer_testkit::{FakeApi, Fault, IssuedLogin, LoginSpec, RequestRecord, Rule, Scratch};
use serde_json::Value;

use super::failed;
use crate::error::Error;

/// The agent's login file in its folder.
pub(crate) const FILE: &str = ".credentials.json";
/// The agent's folder in a home.
pub(crate) const FOLDER: &str = ".claude";
/// Longer than any session here lasts; one that does not end is ended then, and counts as lost.
const LIMIT_SECONDS: &str = "90";
const TOKEN_PATH: &str = "/v1/oauth/token";

/// A genuine agent.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

impl Client {
    /// Asks it for its version, in a home of its own.
    pub(crate) fn found(path: &Path) -> Result<Self, Error> {
        let scratch = scratch()?;
        let told = scratch.command(path).arg("--version").stdin(Stdio::null()).output();
        let told = told.map_err(failed(&format!("starting `{}`", path.display())))?;
        let said = String::from_utf8_lossy(&told.stdout);
        let version = said.split_whitespace().next().unwrap_or("unknown").to_owned();
        Ok(Self { path: path.to_owned(), version })
    }
}

/// The practice API, with all that its clients must know.
#[derive(Debug)]
pub(crate) struct Practice {
    pub(crate) api: FakeApi,
    ca: PathBuf,
    /// Holds the CA's file.
    _folder: Scratch,
}

impl Practice {
    /// Listens where the private network's names lead.
    pub(crate) fn start() -> Result<Self, Error> {
        let folder = scratch()?;
        let ca = folder.root().join("ca.pem");
        let tls = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
        let api = FakeApi::builder().tls(tls).ca_out(&ca).start();
        Ok(Self { api: api.map_err(|error| Error::Practice(error.to_string()))?, ca, _folder: folder })
    }

    /// A sign-in, as a login file in this folder; the folder is made.
    pub(crate) fn sign_in(&self, folder: &Path, spec: &LoginSpec) -> Result<IssuedLogin, Error> {
        let login = self.api.issue_login(spec);
        write(&folder.join(FILE), &login.credentials_json())?;
        Ok(login)
    }

    /// An environment of this home, and what makes a client talk to the practice API.
    pub(crate) fn dress<'a>(&self, command: &'a mut Command, home: &Path) -> &'a mut Command {
        command
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_STATE_HOME", home.join(".local/state"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("NODE_EXTRA_CA_CERTS", &self.ca)
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("CLAUDE_CODE_MAX_RETRIES", "0")
            .env("DISABLE_AUTOUPDATER", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
    }

    /// The agent in this home, with one short question.
    pub(crate) fn session(&self, scratch: &Scratch, client: &Client, home: &Path) -> Command {
        let mut command = limited(scratch, &client.path);
        command.args(["-p", "lab"]);
        self.dress(&mut command, home);
        command
    }

    /// The agent in this home, in a mount namespace with these binds (source, target, writable).
    pub(crate) fn sandboxed(
        &self,
        scratch: &Scratch,
        client: &Client,
        home: &Path,
        binds: &[(PathBuf, PathBuf, bool)],
    ) -> Command {
        let mut command = limited(scratch, Path::new("bwrap"));
        // An ordinary user inside, whoever starts it: root would see through every mode and owner.
        command.args(["--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc"]);
        command.args(["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]);
        for (source, target, writable) in binds {
            command.arg(if *writable { "--bind" } else { "--ro-bind" }).arg(source).arg(target);
        }
        command.arg("--").arg(&client.path).args(["-p", "lab"]);
        self.dress(&mut command, home);
        command
    }

    /// The certificate authority's file.
    pub(crate) fn ca(&self) -> &Path {
        &self.ca
    }

    /// The number of the next request.
    pub(crate) fn mark(&self) -> usize {
        self.api.requests().len()
    }

    /// All requests since the mark.
    pub(crate) fn since(&self, mark: usize) -> Vec<RequestRecord> {
        self.api.requests().into_iter().skip(mark).collect()
    }

    /// The token requests since the mark.
    pub(crate) fn token_requests(&self, mark: usize) -> Vec<RequestRecord> {
        self.since(mark).into_iter().filter(|request| request.path == TOKEN_PATH).collect()
    }

    /// Lets every token answer come later, as from a server far away: those who do not wait for each other meet.
    pub(crate) fn slow_tokens(&self, by: Duration) {
        self.api.script(Rule::times(TOKEN_PATH, Fault::Slow(by), u32::MAX));
    }

    /// What a login file is worth to the server.
    pub(crate) fn worth(&self, file: &Path) -> Worth {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let oauth =
            serde_json::from_str::<Value>(&text).ok().and_then(|json| json.get("claudeAiOauth").cloned());
        let token = |key: &str| {
            oauth
                .as_ref()
                .and_then(|oauth| oauth.get(key))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let refresh = token("refreshToken");
        Worth {
            wiped: refresh.is_empty(),
            alive: self.api.is_spendable(&refresh),
            access: fingerprint(&token("accessToken")),
        }
    }
}

/// What a login file is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worth {
    /// There is no refresh token in it (any more).
    pub(crate) wiped: bool,
    /// Its refresh token could still be spent.
    pub(crate) alive: bool,
    /// Fingerprint of its access token.
    pub(crate) access: String,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) good: bool,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl Ended {
    /// The last thing it said, for a table.
    pub(crate) fn words(&self) -> String {
        let last = |text: &str| {
            text.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
        };
        let words = last(&self.said).or_else(|| last(&self.complained)).unwrap_or_default();
        words.replace('|', "/").chars().take(90).collect()
    }
}

/// Starts all of them before it waits for the first.
pub(crate) fn together(commands: Vec<Command>) -> Result<Vec<Ended>, Error> {
    let mut children = Vec::new();
    for mut command in commands {
        let program = command.get_program().display().to_string();
        children.push(command.spawn().map_err(failed(&format!("starting `{program}`")))?);
    }
    children.into_iter().map(end).collect()
}

/// Runs one.
pub(crate) fn alone(command: Command) -> Result<Ended, Error> {
    Ok(together(vec![command])?.pop().unwrap_or(Ended {
        good: false,
        code: None,
        said: String::new(),
        complained: String::new(),
    }))
}

fn end(mut child: Child) -> Result<Ended, Error> {
    // Both pipes at once: a client that fills one must not wait for us to read the other.
    let errors = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before a failure is all there is to tell.
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        })
    });
    let told = child.wait_with_output().map_err(failed("waiting for a session"))?;
    let complained = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    Ok(Ended {
        good: told.status.success() && !said.trim().is_empty(),
        code: told.status.code(),
        said,
        complained: String::from_utf8_lossy(&complained).into_owned(),
    })
}

/// A command that is ended when it does not end.
pub(crate) fn limited(scratch: &Scratch, program: &Path) -> Command {
    let mut command = scratch.command("timeout");
    command.args(["--kill-after=5", LIMIT_SECONDS]).arg(program);
    command
}

pub(crate) fn scratch() -> Result<Scratch, Error> {
    Scratch::new().map_err(|error| Error::Practice(error.to_string()))
}

/// Writes a file (0600) with its folders (0700).
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed(&format!("writing `{}`", path.display())))
}

/// Makes a folder (0700) with those above it.
pub(crate) fn private_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed(&format!("making `{}`", path.display())))
}
