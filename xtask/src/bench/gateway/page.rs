//! docs/reference/gateway.md.

use super::streams::Stream;
use super::{Cell, Figures, Limits, Seen, Soak};
use crate::bench::page::{Row, aimed, at_least_ratio, line, plain};
use crate::bench::rounds::median;

/// The page as a whole.
pub(super) fn write(figures: &Figures, limits: &Limits, machine: &[(&'static str, String)]) -> String {
    let machine: Vec<String> = machine.iter().map(|(name, value)| format!("- {name}: {value}")).collect();
    let rows: Vec<String> = rows(figures, limits).iter().map(line).collect();
    format!(
        "# Figures of the gateway\n\n\
         Written by `./x bench gateway`; how they are taken stands in [bench/README.md](../../bench/README.md).\n\
         Medians of {} interleaved rounds of {} s each, everything on one machine. Shared machines are noisy: ratios mean something, \
         single times little.\n\n{}\n\n\
         | figure | seen | aim | |\n|---|---|---|---|\n{}\n\n\
         ## Reverse proxies, each adding a header\n\n{}\n\n\
         ## Forward proxies, plain HTTP\n\n{}\n\n\
         ## Streams of events\n\n{}\n",
        figures.rounds,
        figures.seconds,
        machine.join("\n"),
        rows.join("\n"),
        table(&figures.reverse),
        table(&figures.forward),
        streams(&figures.events),
    )
}

fn rows(figures: &Figures, limits: &Limits) -> Vec<Row> {
    // Both are taken apart field by field: a new figure does not compile until it has a row.
    let Figures {
        rounds: _,
        seconds: _,
        reverse,
        forward: _,
        events,
        direct_bytes,
        tunnel_bytes,
        idle_mib,
        waiting_mib,
        soak,
    } = figures;
    let Limits {
        requests_to_better_ratio,
        latency_to_better_ratio,
        added_p50_us,
        added_p99_us,
        first_byte_us,
        event_us,
        tunnel_to_direct_ratio,
        waiting_mib: most_waiting,
    } = *limits;
    let mut rows = Vec::new();
    for cell in reverse {
        let what = cell.name();
        let ratio = better(cell, |seen| seen.per_second, f64::max);
        rows.push(at_least_ratio(
            format!("requests/s to the better of nginx and haproxy, {what}"),
            ratio,
            requests_to_better_ratio,
        ));
        for (name, ratio) in [
            ("p50", better(cell, |seen| seen.p50_us, f64::min)),
            ("p99", better(cell, |seen| seen.p99_us, f64::min)),
        ] {
            let what = format!("{name} to the better of them, {what}");
            rows.push(aimed(what, ratio, latency_to_better_ratio, "×", 2));
        }
    }
    let single = reverse.iter().find(|cell| cell.connections == 1 && cell.path == "/small");
    if let Some(cell) = single {
        let added = |value: fn(&Seen) -> f64| {
            paired(cell.of("coffer"), cell.of("direct"), |one, other| value(one) - value(other))
        };
        rows.push(aimed(
            "added p50, 1 KB, 1 connection".to_owned(),
            added(|seen| seen.p50_us),
            added_p50_us,
            " µs",
            0,
        ));
        rows.push(aimed(
            "added p99, 1 KB, 1 connection".to_owned(),
            added(|seen| seen.p99_us),
            added_p99_us,
            " µs",
            0,
        ));
    }
    let of = |name: &str| events.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, seen)| seen);
    let first = paired(of("coffer"), of("direct"), |one, other| one.first_byte_us - other.first_byte_us);
    rows.push(aimed(
        "added to the first byte of a stream of events".to_owned(),
        first,
        first_byte_us,
        " µs",
        0,
    ));
    let all = every(of("coffer"));
    rows.push(aimed(
        "from an event's write to its read, p99".to_owned(),
        quantile(&all, 0.99),
        event_us,
        " µs",
        0,
    ));
    rows.push(plain("the same for the last of all".to_owned(), format!("{:.0} µs", quantile(&all, 1.0))));
    rows.push(plain(
        "the same, directly".to_owned(),
        format!("{:.0} µs", quantile(&every(of("direct")), 1.0)),
    ));
    let tunnel = paired(tunnel_bytes, direct_bytes, |tunnel, direct| tunnel / direct);
    rows.push(at_least_ratio("bytes/s by CONNECT to direct".to_owned(), tunnel, tunnel_to_direct_ratio));
    rows.push(plain("bytes/s by CONNECT".to_owned(), format!("{:.0} MB/s", median(tunnel_bytes) / 1e6)));
    rows.push(plain("memory of a gateway that nobody uses".to_owned(), format!("{idle_mib:.1} MiB")));
    rows.push(aimed("memory with 1,000 streams that wait".to_owned(), *waiting_mib, most_waiting, " MiB", 1));
    if let Some(Soak { seconds, answered, mib, descriptors }) = soak {
        rows.push(plain(format!("soak: requests in {seconds} s, all answered"), answered.to_string()));
        rows.push(plain(
            "soak: memory after a tenth, and at the end".to_owned(),
            format!("{:.1}, {:.1} MiB", mib[0], mib[1]),
        ));
        rows.push(plain(
            "soak: descriptors then".to_owned(),
            format!("{}, {}", descriptors[0], descriptors[1]),
        ));
    }
    rows
}

impl Cell {
    fn name(&self) -> String {
        let size = if self.path == "/large" { "1 MB" } else { "1 KB" };
        let connections = if self.connections == 1 { "connection" } else { "connections" };
        format!("{size}, {} {connections}", self.connections)
    }
}

/// The gateway to the better of its peers, round by round; the median.
fn better(cell: &Cell, value: fn(&Seen) -> f64, choose: fn(f64, f64) -> f64) -> f64 {
    let peers: Vec<f64> = cell
        .of("nginx")
        .iter()
        .zip(cell.of("haproxy"))
        .map(|(one, other)| choose(value(one), value(other)))
        .collect();
    paired(cell.of("coffer"), &peers, |own, peer| value(own) / peer)
}

/// The median of what two things of one round make.
fn paired<A, B>(one: &[A], other: &[B], make: impl Fn(&A, &B) -> f64) -> f64 {
    median(&one.iter().zip(other).map(|(one, other)| make(one, other)).collect::<Vec<_>>())
}

fn every(streams: &[Stream]) -> Vec<f64> {
    let mut all: Vec<f64> = streams.iter().flat_map(|stream| stream.delays_us.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Of sorted values.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn table(cells: &[Cell]) -> String {
    let mut lines = vec!["| | by | requests/s | p50 | p99 |".to_owned(), "|---|---|---|---|---|".to_owned()];
    for cell in cells {
        for (name, _) in &cell.seen {
            lines.push(format!(
                "| {} | {name} | {:.0} | {:.0} µs | {:.0} µs |",
                cell.name(),
                cell.median(name, |seen| seen.per_second),
                cell.median(name, |seen| seen.p50_us),
                cell.median(name, |seen| seen.p99_us),
            ));
        }
    }
    lines.join("\n")
}

fn streams(events: &[(&'static str, Vec<Stream>)]) -> String {
    let mut lines = vec![
        "| by | first byte | event p50 | p99 | last of all |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (name, seen) in events {
        let all = every(seen);
        let first = median(&seen.iter().map(|stream| stream.first_byte_us).collect::<Vec<_>>());
        lines.push(format!(
            "| {name} | {first:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs |",
            quantile(&all, 0.5),
            quantile(&all, 0.99),
            quantile(&all, 1.0)
        ));
    }
    lines.join("\n")
}
