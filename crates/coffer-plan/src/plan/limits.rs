//! Bounds on what a run may use up, and what holds them.

use std::fmt;
use std::str::FromStr;

use camino::Utf8PathBuf;
use serde::{Deserialize, Deserializer, Serialize};

use super::Note;
use crate::origin::Origin;

/// Bounds on resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Limits {
    /// Memory and swap together, in bytes.
    pub memory: Limit<Size>,
    /// Processes and threads, those of bubblewrap and of init among them.
    pub pids: Limit<Count>,
    /// Processors' worth of time.
    pub cpus: Limit<Cpus>,
    /// What holds them.
    pub means: Means,
    /// Limits that are wanted and cannot be held here, and why.
    pub lacks: Vec<Note>,
}

/// One bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Limit<T> {
    /// How much; null without a bound.
    pub value: Option<T>,
    /// Who decided it.
    pub origin: Origin,
}

words! {
    /// A controller of the kernel's.
    Controller {
        /// Bounds memory.
        Memory = "memory",
        /// Bounds processes.
        Pids = "pids",
        /// Bounds processors.
        Cpu = "cpu",
    }
}

impl Controller {
    /// The flag and the config key that say how much.
    pub fn limit(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpus",
        }
    }
}

/// What holds the limits: which groups of the kernel's (cgroups) the run gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Means {
    /// Nothing is limited.
    None,
    /// A group of version 2, made for the run and gone after it.
    V2 {
        /// The group below which it is made.
        #[schemars(with = "String")]
        folder: Utf8PathBuf,
        /// What that group hands on for it and does not yet.
        enable: Vec<Controller>,
        /// Whether `coffer` itself has to leave that group first, for one below it: a group that hands on has no
        /// processes of its own.
        step_aside: bool,
    },
    /// A scope that the user's systemd makes and hands over; `coffer` starts itself again in it.
    Scope {
        /// `systemd-run`.
        #[schemars(with = "String")]
        program: Utf8PathBuf,
        /// What is handed on in it.
        enable: Vec<Controller>,
    },
    /// A group of version 1 in each hierarchy, made for the run and gone after it.
    V1 {
        /// The groups below which they are made.
        groups: Vec<OldGroup>,
    },
    /// The container engine's own groups.
    Engine,
}

/// A group of version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OldGroup {
    /// The controller of its hierarchy.
    pub controller: Controller,
    /// Where it is.
    #[schemars(with = "String")]
    pub folder: Utf8PathBuf,
}

/// What was said about a limit: so much, or no limit at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound<T> {
    /// So much.
    Of(T),
    /// `none`.
    Unbounded,
}

/// The word for no limit.
const UNBOUNDED: &str = "none";

impl<T> Bound<T> {
    /// How much; `None` for no limit.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Of(value) => Some(value),
            Self::Unbounded => None,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(value) => value.fmt(f),
            Self::Unbounded => f.write_str(UNBOUNDED),
        }
    }
}

impl<T: FromStr<Err = String>> FromStr for Bound<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == UNBOUNDED { Ok(Self::Unbounded) } else { text.parse().map(Self::Of) }
    }
}

/// A number or a text, as TOML has them.
impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Bound<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words<T>(std::marker::PhantomData<T>);
        impl<T: FromStr<Err = String>> serde::de::Visitor<'_> for Words<T> {
            type Value = Bound<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text with a unit, or `none`")
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Bound<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Bound<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Bound<T>, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bound<T>, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Words(std::marker::PhantomData))
    }
}

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Size(pub u64);

impl Size {
    const MEBIBYTE: u64 = 1 << 20;
    /// Bubblewrap and init alone take a few; with less nothing begins.
    const LEAST: u64 = 16 * Self::MEBIBYTE;
    const UNITS: [(&'static str, u64); 4] = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

    /// The same, whole mebibytes of it.
    #[must_use]
    pub fn whole(self) -> Self {
        Self(self.0 / Self::MEBIBYTE * Self::MEBIBYTE)
    }

    /// Twice as much.
    #[must_use]
    pub fn twice(self) -> Self {
        Self(self.0.saturating_mul(2))
    }
}

/// As a flag has it: `512M`, `8G`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::UNITS.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// As `docker --memory` has it: bytes, or a number with `K`, `M`, `G` or `T`, each 1024 of the one before.
impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a size such as `512M` or `8G`, at least `16M`, or `none`".to_owned();
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.to_ascii_uppercase();
        let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
        let factor = match unit {
            "" => 1,
            _ => Self::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1,
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        let bytes = number.checked_mul(factor).ok_or_else(bad)?;
        if bytes < Self::LEAST { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Count(pub u32);

impl Count {
    /// Three are bubblewrap, init and the agent; with less nothing begins.
    const LEAST: u32 = 8;

    /// Twice as many.
    #[must_use]
    pub fn twice(self) -> Self {
        Self(self.0.saturating_mul(2))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(count) if count >= Self::LEAST => Ok(Self(count)),
            Ok(_) | Err(_) => Err(format!("expected a number, at least {}, or `none`", Self::LEAST)),
        }
    }
}

/// Thousandths of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(pub u32);

impl Cpus {
    const WHOLE: u32 = 1000;
    /// The kernel's least share of a period.
    const LEAST: u32 = 10;
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f64::from(self.0) / f64::from(Self::WHOLE)).fmt(f)
    }
}

/// As `docker --cpus` has it: `2`, `1.5`.
impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a number such as `2` or `1.5`, at least `0.01`, or `none`".to_owned();
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || part.len() > 3 {
            return Err(bad());
        }
        let thousandths: u32 = format!("{part:0<3}").parse().map_err(|_| bad())?;
        let whole: u32 = whole.parse().map_err(|_| bad())?;
        let all = whole.checked_mul(Self::WHOLE).and_then(|whole| whole.checked_add(thousandths));
        all.filter(|all| *all >= Self::LEAST).map(Self).ok_or_else(bad)
    }
}

/// In processors.
impl Serialize for Cpus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / f64::from(Self::WHOLE))
    }
}

impl schemars::JsonSchema for Cpus {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cpus".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "Processors.", "type": "number", "minimum": 0.01 })
    }
}

#[cfg(test)]
mod tests;
