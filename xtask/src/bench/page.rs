//! docs/reference/bench.md.

use super::containers::Contained;
use super::publish::Publishing;
use super::state_copy::StateCopy;
use super::{Figures, Limits};

/// A line of the table.
pub(super) struct Row {
    what: String,
    seen: String,
    aim: String,
    over: bool,
}

/// The page as a whole.
pub(super) fn write(figures: &Figures, limits: &Limits, machine: &[(&'static str, String)]) -> String {
    let rows: Vec<String> = rows(figures, limits).iter().map(line).collect();
    let machine: Vec<String> = machine.iter().map(|(name, value)| format!("- {name}: {value}")).collect();
    format!(
        "# Figures\n\n\
         Written by `./x bench`; how they are taken stands in [bench/README.md](../../bench/README.md).\n\
         Medians of {} interleaved rounds. Shared machines are noisy: ratios mean something, single times little.\n\n\
         {}\n\n\
         | figure | seen | aim | |\n|---|---|---|---|\n{}\n",
        figures.rounds,
        machine.join("\n"),
        rows.join("\n")
    )
}

pub(super) fn line(row: &Row) -> String {
    let verdict = match (row.aim.is_empty(), row.over) {
        (true, _) => "",
        (false, false) => "met",
        (false, true) => "**missed**",
    };
    format!("| {} | {} | {} | {verdict} |", row.what, row.seen, row.aim)
}

fn rows(figures: &Figures, limits: &Limits) -> Vec<Row> {
    // Both are taken apart field by field: a new figure does not compile until it has a row.
    let Figures {
        rounds: _,
        nothing_ms,
        hand_ms,
        run_ms,
        run_to_hand_ratio,
        peak_mib,
        peak_with_helpers_mib,
        plan_ms,
        verify_per_second,
        init_ms,
        binary_mib,
        publishing: Publishing { last_ms, worst_ms },
        state_copy: StateCopy { added_ms, by_hand_ratio },
        ref containers,
        ps_ms,
    } = *figures;
    let Limits {
        run_to_hand_ratio: most_ratio,
        peak_mib: most_peak,
        plan_ms: most_plan,
        verify_per_second: least_verify,
        init_ms: most_init,
        binary_mib: most_binary,
        publish_ms: most_publish,
        state_copy_ms: most_copy,
        container_ratio: most_container,
        ps_ms: most_ps,
    } = *limits;
    let mut rows = vec![
        plain("`true`, no sandbox", format!("{nothing_ms:.2} ms")),
        plain("`bwrap … true` by hand, network `none`", format!("{hand_ms:.2} ms")),
        plain("`coffer run --audit never --network none -- true`", format!("{run_ms:.2} ms")),
        aimed("`coffer run` to `bwrap` by hand", run_to_hand_ratio, most_ratio, "×", 2),
        aimed("peak memory of `coffer`", peak_mib, most_peak, " MiB", 1),
        plain("peak memory with bubblewrap and init", format!("{peak_with_helpers_mib:.1} MiB")),
        aimed("facts to checked plan", plan_ms, most_plan, " ms", 3),
        at_least("logins read and judged per second, one core", verify_per_second, least_verify),
        aimed("start of `coffer-init`", init_ms, most_init, " ms", 2),
        aimed("a refresh until the last of 100 live runs has the new token", last_ms, most_publish, " ms", 1),
        plain("the same in the worst of 30 rounds", format!("{worst_ms:.1} ms")),
        aimed("what `--state copy` of 50,000 files adds to a run", added_ms, most_copy, " ms", 1),
        plain("`cp -a` of them to that", format!("{by_hand_ratio:.0}×")),
        aimed("`coffer ps --json` over 200 live runs", ps_ms, most_ps, " ms", 1),
        aimed("static binary", binary_mib, most_binary, " MiB", 1),
    ];
    for Contained { engine, hand_ms, run_ms, ratio } in containers {
        rows.push(plain(format!("`true` in a container by hand ({engine})"), format!("{hand_ms:.0} ms")));
        rows.push(plain(format!("the same by `coffer run` ({engine})"), format!("{run_ms:.0} ms")));
        rows.push(aimed(format!("`coffer run` to that by hand ({engine})"), *ratio, most_container, "×", 2));
    }
    rows
}

/// A figure that nothing is aimed at.
pub(super) fn plain(what: impl Into<String>, seen: String) -> Row {
    Row { what: what.into(), seen, aim: String::new(), over: false }
}

/// A figure that shall not be over a limit.
pub(super) fn aimed(what: impl Into<String>, seen: f64, most: f64, unit: &str, digits: usize) -> Row {
    let (what, over) = (what.into(), seen > most);
    Row { what, seen: format!("{seen:.digits$}{unit}"), aim: format!("≤ {most}{unit}"), over }
}

fn at_least(what: &'static str, seen: f64, least: f64) -> Row {
    Row {
        what: what.to_owned(),
        seen: format!("{seen:.0}"),
        aim: format!("≥ {least:.0}"),
        over: seen < least,
    }
}

/// A ratio that shall not be under a limit.
pub(super) fn at_least_ratio(what: impl Into<String>, seen: f64, least: f64) -> Row {
    Row { what: what.into(), seen: format!("{seen:.2}×"), aim: format!("≥ {least}×"), over: seen < least }
}
