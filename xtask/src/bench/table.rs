//! What was measured, as medians in the table of docs/benchmarks.md.

use std::fmt::Write as _;

use crate::measure::{Cost, mebibytes};

/// One job by both sides.
#[derive(Debug, Default)]
pub struct Row {
    /// What was done.
    pub name: &'static str,
    /// What the issue asks for at most, of the other side's time.
    pub target: Option<f64>,
    /// Our runs.
    pub ours: Vec<Cost>,
    /// Theirs.
    pub theirs: Vec<Cost>,
    /// Sync calls of one more run under strace.
    pub syncs: Option<[u64; 2]>,
}

/// Middle value of the runs by `value`.
pub fn median(costs: &[Cost], value: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

fn wall(costs: &[Cost]) -> f64 {
    median(costs, |cost| cost.wall.as_secs_f64())
}

fn cpu(costs: &[Cost]) -> f64 {
    median(costs, |cost| cost.used.cpu.as_secs_f64())
}

fn peak(costs: &[Cost]) -> u64 {
    costs.iter().map(|cost| cost.used.peak_rss).max().unwrap_or(0)
}

/// The table.
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| job | rootling wall s | ostree wall s | ratio | asked | CPU s, both | peak RSS, both | sync calls, both |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let (ours, theirs) = (wall(&row.ours), wall(&row.theirs));
        if row.theirs.is_empty() {
            let _ = writeln!(out, "| {} | {ours:.2} | - | - | - | - | - | - |", row.name);
            continue;
        }
        let asked = row.target.map_or("-".to_owned(), |target| format!("{target:.2}"));
        let syncs = row.syncs.map_or("-".to_owned(), |[ours, theirs]| format!("{ours} / {theirs}"));
        let _ = writeln!(
            out,
            "| {} | {ours:.2} | {theirs:.2} | {:.2} | {asked} | {:.2} / {:.2} | {} / {} | {syncs} |",
            row.name,
            ours / theirs,
            cpu(&row.ours),
            cpu(&row.theirs),
            mebibytes(peak(&row.ours)),
            mebibytes(peak(&row.theirs)),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn costs(millis: &[u64]) -> Vec<Cost> {
        millis.iter().map(|ms| Cost { wall: Duration::from_millis(*ms), ..Cost::default() }).collect()
    }

    #[test]
    fn the_median_stands_outliers() {
        for (millis, expected) in [(&[3, 1, 2][..], 0.002), (&[1, 9000, 2, 3], 0.0025)] {
            assert!((wall(&costs(millis)) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn a_row_has_ratio_and_both_sides() {
        let row = Row {
            name: "job",
            target: Some(0.5),
            ours: costs(&[1000]),
            theirs: costs(&[4000]),
            syncs: Some([3, 9]),
        };
        let text = table(&[row]);
        assert!(text.contains("| job | 1.00 | 4.00 | 0.25 | 0.50 |") && text.contains("| 3 / 9 |"), "{text}");
    }
}
