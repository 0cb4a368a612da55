//! Interleaved rounds: every variant once per round, in an order that turns.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::Error;

/// One thing to measure.
pub(super) struct Variant {
    pub(super) name: &'static str,
    /// Makes the command anew for each round.
    pub(super) command: Box<dyn Fn() -> std::io::Result<Ready>>,
}

/// A command and the files that it inherits by number.
pub(super) struct Ready {
    pub(super) command: Command,
    pub(super) inherited: Vec<File>,
}

/// Variants and what they took, in milliseconds.
pub(super) struct Rounds {
    variants: Vec<Variant>,
    took: Vec<Vec<f64>>,
}

impl Rounds {
    pub(super) fn new(variants: Vec<Variant>) -> Self {
        let took = variants.iter().map(|_| Vec::new()).collect();
        Self { variants, took }
    }

    /// Three rounds to warm the caches, then `count` that are kept.
    pub(super) fn perform(&mut self, count: u32) -> Result<(), Error> {
        const WARM_UP: u32 = 3;
        for round in 0..WARM_UP + count {
            for place in 0..self.variants.len() {
                let index = (place + round as usize) % self.variants.len();
                let took = time(&self.variants[index])?;
                if round >= WARM_UP {
                    self.took[index].push(took);
                }
            }
        }
        Ok(())
    }

    /// What the variant took, round by round.
    pub(super) fn of(&self, variant: usize) -> &[f64] {
        &self.took[variant]
    }
}

/// Wall time in milliseconds; a variant that fails measures nothing.
pub(super) fn time(variant: &Variant) -> Result<f64, Error> {
    let cannot_start = |source| Error::Start { command: variant.name.to_owned(), source };
    let Ready { mut command, inherited } = (variant.command)().map_err(cannot_start)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output().map_err(cannot_start)?;
    let took = started.elapsed();
    drop(inherited);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { command: variant.name.to_owned(), stderr });
    }
    Ok(took.as_secs_f64() * 1000.0)
}

/// The middle value; of an even number of values, the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle_and_not_the_mean() {
        assert_eq!(median(&[100.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]).to_bits(), 3.0_f64.to_bits());
        assert!(median(&[]).is_nan());
    }
}
