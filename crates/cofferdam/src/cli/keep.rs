//! The commands that keep logins.

use clap::Args;

/// `coffer refresh`.
#[derive(Debug, Args)]
pub struct RefreshCommand {
    /// The account; without it the one that is chosen here
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Only when the access token ends within this time: `30m`, `2h`
    #[arg(long, value_name = "DURATION", value_parser = duration_ms, conflicts_with = "now")]
    pub if_expiring: Option<i64>,
    /// Also when it is not due; for `host` this edits the end of the access token in your own login file
    #[arg(long)]
    pub now: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `coffer serve`.
#[derive(Debug, Args)]
pub struct ServeCommand {
    /// Print a systemd user unit that runs it, and nothing else
    #[arg(long)]
    pub unit: bool,
}

/// A time span as people write it, in ms.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || "expected a number and one of s, m, h, d: `30m`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: i64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    if number < 0 {
        return Err(wrong());
    }
    number.checked_mul(ms).ok_or_else(wrong)
}
