//! Results kept in target/bench/delta, so that the document can be written again when one corpus was measured again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::corpus::Corpus;
use super::device::Device;
use super::figures::{Figures, Spent};
use super::report;

/// Keeps a result in `CORPUS.json`.
pub fn write(folder: &Path, result: &report::Result) -> Result<()> {
    let rows: Vec<Value> = result
        .rows
        .iter()
        .map(|row| json!([row.method, row.bytes, spent(&row.encode), spent(&row.decode)]))
        .collect();
    let Device { upgrade_rss, group_peak, group_version, instructions } = result.device;
    let value = json!({
        "packages": result.packages,
        "changed": result.changed,
        "rows": rows,
        "device": [upgrade_rss, group_peak, group_version, instructions],
    });
    let place = folder.join(result.corpus.name).with_extension("json");
    fs::write(&place, format!("{value:#}\n")).with_context(|| format!("write {}", place.display()))
}

/// What was kept; `None` if that corpus was never measured here.
pub fn read(folder: &Path, corpus: &'static Corpus) -> Result<Option<report::Result>> {
    let place = folder.join(corpus.name).with_extension("json");
    let Ok(text) = fs::read_to_string(&place) else { return Ok(None) };
    let value: Value = serde_json::from_str(&text).with_context(|| place.display().to_string())?;
    parse(&value, corpus)
        .with_context(|| format!("{}: expected a result, got {text}", place.display()))
        .map(Some)
}

fn parse(value: &Value, corpus: &'static Corpus) -> Option<report::Result> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = value["packages"].as_array()?.iter();
    let packages = packages.map(|pair| Some((text(&pair[0])?, text(&pair[1])?))).collect::<Option<_>>()?;
    let rows = value["rows"].as_array()?.iter().map(|row| {
        let (method, bytes) = (text(&row[0])?, row[1].as_u64()?);
        Some(Figures { method, bytes, encode: spent_of(&row[2])?, decode: spent_of(&row[3])? })
    });
    let number = |at: usize| value["device"][at].as_u64();
    let device = Device {
        upgrade_rss: number(0)?,
        group_peak: number(1)?,
        group_version: u8::try_from(number(2)?).ok()?,
        instructions: number(3)?,
    };
    let changed = (usize::try_from(value["changed"][0].as_u64()?).ok()?, value["changed"][1].as_u64()?);
    Some(report::Result { corpus, packages, changed, rows: rows.collect::<Option<_>>()?, device })
}

fn spent(spent: &Spent) -> Value {
    json!([spent.wall.as_millis() as u64, spent.cpu.as_millis() as u64, spent.peak_rss])
}

fn spent_of(value: &Value) -> Option<Spent> {
    let millis = |at: usize| value[at].as_u64().map(Duration::from_millis);
    Some(Spent { wall: millis(0)?, cpu: millis(1)?, peak_rss: value[2].as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::delta::corpus::ALL;

    #[test]
    fn what_is_kept_is_read_again_and_half_of_it_is_an_error() {
        let dir = std::env::temp_dir().join(format!("xtask-stored-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let spent = Spent { wall: Duration::from_millis(3), cpu: Duration::from_millis(2), peak_rss: 9 };
        let row = Figures { method: "ostree".into(), bytes: 7, encode: spent, decode: Spent::default() };
        let device = Device { upgrade_rss: 1, group_peak: 2, group_version: 1, instructions: 4 };
        let packages = vec![("a_1_amd64.deb".to_owned(), "ab".to_owned())];
        let result = report::Result { corpus: &ALL[0], packages, changed: (5, 6), rows: vec![row], device };
        assert!(read(&dir, &ALL[0]).unwrap().is_none());
        write(&dir, &result).unwrap();
        let again = read(&dir, &ALL[0]).unwrap().unwrap();
        assert_eq!(format!("{again:?}"), format!("{result:?}"));
        fs::write(dir.join("amd64.json"), "{\"packages\": []}").unwrap();
        assert!(read(&dir, &ALL[0]).unwrap_err().to_string().contains("expected a result"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
