//! What was measured, as text: docs/benchmarks-delta.md.

use std::fmt::Write as _;

use super::corpus::Corpus;
use super::device::{Device, GROUP};
use super::figures::{Figures, Spent};
use crate::measure::mebibytes;
use crate::place::grouped;

/// The most resident memory of an upgrade, in bytes.
pub const MAX_MEMORY: u64 = 12 << 20;
/// Bytes of output that must come out of a second of processor time.
pub const MIN_SPEED: f64 = 4e6;
/// What an in-order core of this clock is taken to do in a cycle.
const A53: (f64, f64) = (1.2e9, 0.7);

/// All that was measured of one corpus.
#[derive(Debug)]
pub struct Result {
    /// Which.
    pub corpus: &'static Corpus,
    /// Package files with their SHA-256.
    pub packages: Vec<(String, String)>,
    /// Changed files, and their bytes.
    pub changed: (usize, u64),
    /// The row of `ostree` first, then ours, then the rest.
    pub rows: Vec<Figures>,
    /// On the device.
    pub device: Device,
}

impl Result {
    fn row(&self, method: &str) -> Option<&Figures> {
        self.rows.iter().find(|row| row.method == method)
    }

    /// Bytes of a method as a ratio to ostree's.
    pub fn ratio(&self, row: &Figures) -> f64 {
        ratio(&self.rows, row)
    }

    /// Bytes of changed files made in a second of processor time, with all else that a pull does.
    fn speed(&self) -> f64 {
        let cpu = self.row(OURS).map_or(f64::NAN, |row| row.decode.cpu.as_secs_f64());
        self.changed.1 as f64 / cpu
    }

    /// Bounds of issue 4 that are not met.
    pub fn faults(&self) -> Vec<String> {
        let ratio = self.row(OURS).map_or(f64::NAN, |row| self.ratio(row));
        let name = self.corpus.name;
        let mut faults = Vec::new();
        if self.corpus.must.is_some_and(|must| ratio.is_nan() || ratio > must) {
            faults.push(format!(
                "{name}: expected at most {:?} of ostree's bytes, got {ratio:.3}",
                self.corpus.must
            ));
        }
        if self.device.upgrade_rss > MAX_MEMORY {
            let got = mebibytes(self.device.upgrade_rss);
            faults.push(format!("{name}: expected an upgrade in {}, got {got}", mebibytes(MAX_MEMORY)));
        }
        if self.speed().is_nan() || self.speed() < MIN_SPEED {
            faults.push(format!("{name}: expected 4 MB for a CPU second, got {:.1}", self.speed() / 1e6));
        }
        faults
    }
}

fn ratio(rows: &[Figures], row: &Figures) -> f64 {
    row.bytes as f64 / rows.first().map_or(f64::NAN, |ostree| ostree.bytes as f64)
}

/// Our row that the bounds are about.
pub const OURS: &str = "rootling, LZMA";
/// The fast profile.
pub const FAST: &str = "rootling, deflate";

/// The ratios against the bounds.
pub fn summary(results: &[Result]) -> String {
    let mut out = String::from(
        "| corpus | changed files | their bytes | rootling | ratio | must | aim | deflate | HDiffPatch |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for result in results {
        let ratio = |name| result.row(name).map_or("-".to_owned(), |row| format!("{:.3}", result.ratio(row)));
        let must = result.corpus.must.map_or("-".to_owned(), |must| format!("{must:.2}"));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | **{}** | {must} | {} | {} | {} |",
            result.corpus.title,
            grouped(result.changed.0 as u64),
            grouped(result.changed.1),
            result.row(OURS).map_or("-".to_owned(), |row| grouped(row.bytes)),
            ratio(OURS),
            result.corpus.aim,
            ratio(FAST),
            ratio("HDiffPatch"),
        );
    }
    out
}

/// What an upgrade takes on the device.
pub fn devices(results: &[Result]) -> String {
    let mut out = format!(
        "| corpus | peak RSS of `upgrade` | peak of a cgroup of {} | MB made in a CPU second | instructions for a byte, at most | Cortex-A53, estimated, at least |\n\
         |---|---:|---:|---:|---:|---:|\n",
        mebibytes(GROUP)
    );
    for result in results {
        let Device { upgrade_rss, group_peak, instructions, .. } = result.device;
        let each = instructions as f64 / result.changed.1 as f64;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.1} | {each:.0} | {:.1} MB/s |",
            result.corpus.title,
            mebibytes(upgrade_rss),
            mebibytes(group_peak),
            result.speed() / 1e6,
            A53.0 * A53.1 / each / 1e6,
        );
    }
    out
}

/// Every method on one corpus.
pub fn details(result: &Result) -> String {
    format!("### {}\n\n{}", result.corpus.title, table(&result.rows))
}

/// What each method took; ostree is the first.
pub fn table(rows: &[Figures]) -> String {
    let mut out =
        "| method | bytes | of ostree's | encode CPU s | wall s | peak RSS | decode CPU s | peak RSS |\n\
                   |---|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    for row in rows {
        let Spent { wall, cpu, peak_rss } = row.encode;
        let _ = writeln!(
            out,
            "| {} | {} | {:.3} | {:.1} | {:.1} | {} | {:.2} | {} |",
            row.method,
            grouped(row.bytes),
            ratio(rows, row),
            cpu.as_secs_f64(),
            wall.as_secs_f64(),
            mebibytes(peak_rss),
            row.decode.cpu.as_secs_f64(),
            mebibytes(row.decode.peak_rss),
        );
    }
    out
}

/// Which files were compared.
pub fn packages(results: &[Result]) -> String {
    let mut out = String::new();
    for result in results {
        let _ = writeln!(out, "{}:", result.corpus.name);
        for (name, sha256) in &result.packages {
            let _ = writeln!(out, "  {sha256}  {name}");
        }
    }
    out
}

/// Clock and instructions for each cycle behind the estimate, for people.
pub fn assumption() -> String {
    format!("{:.1} GHz and {:.1} instructions for each cycle", A53.0 / 1e9, A53.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::delta::corpus::ALL;
    use std::time::Duration;

    fn result(ours: u64, rss: u64, seconds: u64) -> Result {
        let spent = Spent { cpu: Duration::from_secs(seconds), ..Spent::default() };
        let row =
            |method: &str, bytes| Figures { method: method.to_owned(), bytes, encode: spent, decode: spent };
        let device =
            Device { upgrade_rss: rss, group_peak: 5, group_version: 1, instructions: 2_000_000_000 };
        let rows = vec![row("ostree", 1000), row(OURS, ours)];
        Result { corpus: &ALL[0], packages: Vec::new(), changed: (3, 40_000_000), rows, device }
    }

    #[test]
    fn a_bound_that_is_missed_is_named() {
        assert_eq!(result(210, MAX_MEMORY, 10).faults(), Vec::<String>::new());
        for (result, fault) in [
            (result(211, 1, 1), "at most Some(0.21) of ostree's bytes, got 0.211"),
            (result(1, MAX_MEMORY + 1, 1), "an upgrade in 12.0 MiB"),
            (result(1, 1, 11), "4 MB for a CPU second, got 3.6"),
        ] {
            let faults = result.faults();
            assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
        }
    }

    #[test]
    fn tables_have_ratios_and_estimates() {
        let results = [result(200, 5 << 20, 4)];
        let summary = summary(&results);
        assert!(summary.contains("| 200 | **0.200** | 0.21 | 0.14 | - | - |"), "{summary}");
        let devices = devices(&results);
        assert!(devices.contains("| 10.0 | 50 | 16.8 MB/s |"), "{devices}");
        assert!(details(&results[0]).contains("| rootling, LZMA | 200 | 0.200 | 4.0 |"));
    }
}
