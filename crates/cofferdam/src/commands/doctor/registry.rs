//! All checks. `docs/guides/doctor.md` shows this table.

use super::finding::{Seen, Severity};
use super::groups::{login, machine, own, place, settings};
use super::scene::Scene;

/// A check: pure over what was seen.
pub(crate) struct Check {
    /// Stable word.
    pub(crate) id: &'static str,
    /// How bad it is, as a rule.
    pub(crate) severity: Severity,
    /// What it looks for.
    pub(crate) what: &'static str,
    /// Why that matters.
    pub(crate) why: &'static str,
    /// What mends it.
    pub(crate) fix: &'static str,
    /// What it sees.
    pub(super) look: fn(&Scene) -> Vec<Seen>,
}

macro_rules! checks {
    ($($id:literal $severity:ident $look:path: $what:literal, $why:literal, $fix:literal;)+) => {
        &[$(Check { id: $id, severity: Severity::$severity, what: $what, why: $why, fix: $fix, look: $look }),+]
    };
}

/// All checks, by group.
pub(crate) const CHECKS: &[Check] = checks! {
    "login-missing" Warning login::missing: "no login and no key",
        "runs start signed out; the agent may sign in inside", "`coffer login`";
    "login-corrupted" Error login::corrupted: "a login file that is empty, wiped or no JSON",
        "agents say \"not logged in\"; a failed refresh or a half-written file leaves this", "`coffer backup restore`, or `coffer login`";
    "login-expired" Error login::expired: "a login that ended, or that the server refused for good",
        "no refresh can bring it back, only a person can", "`coffer login`";
    "login-scope" Error login::scope: "a login without a scope that the agent demands",
        "the agent says \"not logged in\" although the token is good", "`coffer login`";
    "login-ends-soon" Warning login::ends_soon: "a login that ends for good within a week",
        "a login lives about a month, whatever is refreshed; a long job dies at its end", "`coffer login`";
    "login-odd-end" Warning login::odd_end: "an `expiresAt` that is no time in milliseconds",
        "seconds count as long ended, so that each start refreshes", "`coffer login`";
    "login-mode" Error login::mode: "a login file or folder that others may read",
        "whoever reads the file has the login", "`coffer doctor --fix`";
    "login-owner" Error login::owner: "a login file or folder of another user",
        "the agent cannot read it, or cannot save a refresh: the login burns", "`chown` it to yourself, or sign in again";
    "login-link" Error place::link: "a login file that is a link",
        "a refresh replaces the link by a file, and the other end keeps a dead token", "put the file itself there, and let the others use `coffer run`";
    "login-other-folder" Note login::other_folder: "a login folder that is not the one on record",
        "another volume may hold an older copy of the login, and the first to refresh wins", "nothing, if you moved it yourself; else sign in anew";
    "login-twice" Error login::twice: "one login at two places",
        "a copy forks the lineage: the first to refresh wins, and the other one is dead", "keep one, and `coffer login` for the other";
    "login-file-mount" Error place::file_mount: "a login file that is a mount of its own",
        "a mount point cannot be replaced by rename, and two places of one file lose the login in a third of the rounds", "mount the folder instead, or use `coffer run`";
    "login-detached" Error place::detached: "a mounted login file that was replaced at its source",
        "what is read here is an old file, whose token is dead after the next refresh elsewhere", "mount it anew";
    "login-read-only" Error place::read_only: "a login folder, or the folder around it, that cannot be written",
        "with the file read-only the server exchanges the token and nobody can save it: the login burns; else it dies at its end", "make it writable, or use `coffer run`, whose lease needs no refresh";
    "login-is-folder" Error place::is_folder: "a folder where the login file should be",
        "engines make a folder of a mount source that is missing", "`rmdir` it, and sign in";
    "login-elsewhere" Warning place::elsewhere: "a login where the agent does not look",
        "a variable moves the place, and the login seems gone", "unset the variable, or sign in there";
    "config-folder-moved" Note place::moved: "a variable that moves the agent's folder",
        "all of login, state and settings are looked for there", "`unset` it if you did not mean it";
    "key-overrides-login" Warning settings::overrides: "a key that wins over the subscription, or two credential headers",
        "usage is billed to the key, or a dead key blocks a good login", "unset the variable, or remove the setting";
    "settings-broken" Error settings::broken: "a settings file that does not read",
        "the agent ignores all of it, its protections included", "mend the file";
    "settings-outside-env" Warning settings::outside_env: "variables among the top keys of the settings",
        "only what stands in the `env` block counts", "move them into `\"env\": { … }`";
    "endpoint-redirected" Note settings::redirected: "a base URL that leads elsewhere",
        "the login's token is sent there as well; a gateway that drops headers or rewrites errors shows the wrong plan", "unset it if you did not mean it";
    "project-redirects" Warning settings::project: "settings of the project that redirect endpoints or credentials",
        "an agent may have written them; a run stops until they are trusted", "look at them, then `coffer trust`";
    "key-placeholder" Warning settings::placeholder: "a key or token that is none of its issuer's, and no proxy or base URL that could put the real one in",
        "a proxy's placeholder reaches the API as it is: signed out, the wrong plan, or \"credit balance is too low\"", "unset it, or set the address of the proxy that it is for";
    "project-executes" Warning settings::executes: "files of the project that programs of the host run, written while a sandbox had it",
        "what an agent wrote there runs outside of the sandbox with all your rights", "look at them before you go on in this project";
    "client-json-missing" Warning settings::client_json: "the agent's `.claude.json` is gone while backups exist",
        "file and folder belong together; the agent complains and begins anew", "copy the newest backup back";
    "onboarding" Note settings::onboarding: "a login that works, and a first-start wizard that is not done",
        "the agent asks for a login although there is one", "start the agent once on the host; runs are seeded anyway";
    "client-lock-old" Warning place::lock_old: "an abandoned lock of the agent",
        "while it is young nobody refreshes; everything waits for it", "`coffer doctor --fix`, or start the agent once: it breaks locks that are old";
    "client-lock-future" Error place::lock_future: "a lock of the agent that is dated in the future",
        "it never gets old, so everything waits for it", "set the clock if it is wrong, then `coffer doctor --fix`";
    "home-foreign" Error machine::home: "a home folder of another user, or one that cannot be written",
        "the agent keeps login and state there; as another user it reads the wrong ones or saves nothing", "`HOME` has to be your own: see `ls -ld \"$HOME\"` and `id`";
    "userns-off" Error machine::userns: "user namespaces that are switched off",
        "bubblewrap cannot make a sandbox", "`sudo sysctl -w user.max_user_namespaces=15000`";
    "userns-apparmor" Warning machine::apparmor: "AppArmor restricts user namespaces",
        "bubblewrap fails as an ordinary user unless it has a profile", "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or a profile for bwrap with `userns,`";
    "limits-missing" Note machine::limits: "a limit on memory or on processes that nothing here can hold",
        "a run that goes wild takes the machine along; `--memory` and `--pids` are refused", "let systemd or the container's engine hand over groups (cgroups)";
    "secrets-swapped" Note machine::swapped: "a limit on locked memory below what secrets take, on a machine that swaps",
        "a login in memory may be written to the disk", "raise `ulimit -l`, or encrypt the swap";
    "bwrap-missing" Error machine::bwrap_missing: "bubblewrap is not there",
        "no sandbox can be made", "`sudo apt-get install bubblewrap`";
    "bwrap-old" Note machine::bwrap_old: "a bubblewrap that cannot bind by descriptor (before 0.10)",
        "sources are compared right before the start instead; a narrower guard", "install 0.10 or later";
    "agent-missing" Error machine::agent_missing: "the agent is not on the PATH",
        "there is nothing to run", "install it";
    "agent-version" Warning machine::agent_version: "an agent whose version is unknown, or older than any that was measured to refresh",
        "the keeper does not let it refresh, so logins run out; how it locks differs by version, too", "install a newer version, by its own installer or by npm";
    "agent-hazard" Warning machine::hazard: "an agent of a version that was measured to harm a login",
        "a login that burns is gone for every sandbox and for the host", "install a newer version";
    "clock" Error machine::clock: "a clock that is behind what was already written",
        "tokens seem fresh that have ended, and locks never get old", "`sudo timedatectl set-ntp true`";
    "ledger-broken" Error own::ledger: "a ledger whose chain does not hold, or that cannot be used",
        "somebody changed the record, or nothing can be added to it", "`coffer ledger verify`";
    "journal-unfinished" Warning own::journal: "a refresh that was begun and not finished",
        "the next refresh of the account reads what came of it first", "`coffer refresh`";
    "identity-unreachable" Error own::identity: "the identity that opens sealed copies and keys cannot be had",
        "nothing can be restored, and accounts with a sealed key cannot run; refreshing still seals", "unlock the keyring of your session, or put the key file back";
    "own-mode" Error own::mode: "folders of Cofferdam's own that others may enter",
        "logins, sealed copies and leases lie in them", "`coffer doctor --fix`";
    "own-unread" Error own::unread: "accounts that cannot be read",
        "they cannot be used or refreshed", "see who may read it: `ls -l`";
    "two-data-folders" Error own::two_folders: "a second data folder beside the one in use",
        "two keepers that do not know each other may refresh one login at once", "use one: unset `COFFER_HOME`, or move the other away";
    "run-leftovers" Warning own::leftovers: "what dead runs left",
        "a lease may lie in it until its token ends", "`coffer doctor --fix`";
};
