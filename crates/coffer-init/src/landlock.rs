//! The second wall around files, as the plan has it: what no rule names may not be opened, whatever is mounted there.
//!
//! The rules hold for objects and not for names, so they are made when everything is mounted. Init itself stays
//! outside: the ruleset is the agent's and its children's.

use crate::agent::SetupFailed;
use coffer_sys::control::Step;
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

/// What init is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Landlock {
    /// The version to use; nothing is closed without one. A kernel that has less is an error: what the plan says would
    /// not be true.
    pub(crate) abi: Option<u32>,
    /// Files are closed where there is at least one.
    pub(crate) rules: Vec<Rule>,
}

/// What may be done beneath a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    path: OsString,
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    List,
    Read,
    Write,
    Devices,
}

impl Rule {
    /// The rule of an option; `None` if the option is none of ours.
    pub(crate) fn parse(option: &str, path: OsString) -> Option<Self> {
        let reach = match option {
            "--landlock-list" => Reach::List,
            "--landlock-read" => Reach::Read,
            "--landlock-write" => Reach::Write,
            "--landlock-devices" => Reach::Devices,
            _ => return None,
        };
        Some(Self { path, reach })
    }
}

impl Landlock {
    /// The ruleset; `None` without Landlock.
    pub(crate) fn ruleset(&self) -> Result<Option<OwnedFd>, SetupFailed> {
        let Some(abi) = self.abi else { return Ok(None) };
        let failed = |cause: io::Error| SetupFailed { step: Step::Walls, cause };
        let abi = version(abi).ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
        let mut ruleset =
            create(abi, !self.rules.is_empty()).map_err(|error| failed(io::Error::other(error)))?;
        for rule in &self.rules {
            let told = |cause: &dyn std::fmt::Display| {
                failed(io::Error::other(format!("landlock: `{}`: {cause}", rule.path.display())))
            };
            let (folder, is_folder) = open(rule).map_err(|cause| told(&cause))?;
            let all = allowed(rule.reach, abi);
            let access = if is_folder { all } else { all & AccessFs::from_file(abi) };
            ruleset = ruleset.add_rule(PathBeneath::new(folder, access)).map_err(|cause| told(&cause))?;
        }
        Ok(ruleset.into())
    }
}

fn create(abi: ABI, files: bool) -> Result<RulesetCreated, landlock::RulesetError> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if files {
        ruleset = ruleset.handle_access(AccessFs::from_all(abi))?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    ruleset.create()
}

/// What stands at a rule's path, and whether it is a folder. Nobody but the plan makes links on the way.
fn open(rule: &Rule) -> io::Result<(OwnedFd, bool)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat2(CWD, &rule.path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let is_folder = FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Directory;
    Ok((found, is_folder))
}

fn allowed(reach: Reach, abi: ABI) -> BitFlags<AccessFs> {
    let everything = AccessFs::from_all(abi);
    match reach {
        Reach::List => AccessFs::ReadDir.into(),
        Reach::Read => AccessFs::from_read(abi),
        // Nobody without privileges makes devices.
        Reach::Write => everything & !(AccessFs::IoctlDev | AccessFs::MakeChar | AccessFs::MakeBlock),
        Reach::Devices => everything,
    }
}

/// The crate's name for a version.
fn version(number: u32) -> Option<ABI> {
    [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6, ABI::V7]
        .into_iter()
        .find(|abi| *abi as u32 == number)
}

#[cfg(test)]
mod tests;
