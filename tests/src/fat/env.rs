//! The power cut at every write to a FAT on which U-Boot's environment is a file: `uboot.env` is old or new, never neither.
//!
//! A guest's agent replaced the file, and its disk's writes were logged, with a mark behind the file system where each
//! operation began and where the agent was done. mtools read the file, before `fsck.fat` and after it. A second name of
//! what is being replaced may be there; only the one that U-Boot reads counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

use super::SEED;
use super::disk::{Fat, Part};
use crate::uboot;
use crate::writes::image::Image;
use crate::writes::log::{self, Entry};
use crate::writes::states::{Ask, states};

/// Bytes of the FAT; marks come after it.
const FAT: u64 = 32 << 20;
/// Bytes of a sector: of memory cards and such nothing larger is known to be written as a whole.
const SECTOR: usize = 512;
const MARK: &str = "ROOTLING-MARK ";
/// The operations, and what `upgrade_available` is when the agent is done.
const OPERATIONS: [(&str, &str); 3] = [("upgrade", "1"), ("confirm", "0"), ("fall-back", "0")];

type Vars = BTreeMap<String, String>;

/// What came out for one operation.
#[derive(Debug)]
pub struct Tally {
    /// Its name.
    pub operation: &'static str,
    /// Flushes of the disk while it ran.
    pub flushes: usize,
    /// Distinct disks.
    pub states: usize,
    /// Those of them with the new variables.
    pub new: usize,
    /// Those of them with a second name beside it.
    pub drafts: usize,
    /// What is wrong with others.
    pub bad: Vec<String>,
}

/// Judges the disk at every flush of each operation, and at most `limit` of the states in between.
pub fn replay(base: &Path, writes: &Path, limit: usize, folder: &Path) -> Result<Vec<Tally>> {
    let text = fs::read(writes).with_context(|| format!("read {}", writes.display()))?;
    // QEMU was killed, and the count of entries may be older than the last of them
    let entries: Vec<Entry> = log::records(&text).into_iter().map(|(_, entry)| entry).collect();
    let fat = Fat { file: folder.join("disk"), part: Part { start: 0, length: FAT } };
    let mut image = Image::read(base);
    let mut done = 0;
    let mut tallies = Vec::new();
    for (operation, available) in OPERATIONS {
        let begin = mark(&entries, &format!("begin {operation}"))?;
        let end = mark(&entries, &format!("end {operation}"))?;
        ensure!(done <= begin && begin < end, "marks of {operation} at {begin} and {end}, after {done}");
        // all that came before was synced
        entries[done..begin].iter().for_each(|entry| image.write(entry.offset, &entry.data));
        let log: Vec<Entry> =
            entries[begin..end].iter().filter(|entry| entry.offset < FAT).cloned().collect();
        tallies.push(judge_all(&fat, operation, available, &image, &log, limit)?);
        done = begin;
    }
    Ok(tallies)
}

fn judge_all(
    fat: &Fat,
    operation: &'static str,
    available: &str,
    base: &Image,
    log: &[Entry],
    limit: usize,
) -> Result<Tally> {
    let old = judge(fat, base).with_context(|| format!("before the {operation}"))?.vars;
    let found = states(base, log, Ask { limit, every_flush: true, block: SECTOR, seed: SEED }).states;
    let is_new = |vars: &Vars| vars.get("upgrade_available").is_some_and(|value| value == available);
    ensure!(!is_new(&old), "before the {operation}: {old:?}");
    let last = found.iter().find(|state| state.is_last).context("no state with all that was written")?;
    let new = judge(fat, &last.image).with_context(|| format!("after the {operation}"))?.vars;
    ensure!(is_new(&new) && same_else(&old, &new), "after the {operation}: {new:?}");
    let flushes = log.iter().filter(|entry| entry.flags & log::FLUSH != 0).count();
    let mut tally = Tally { operation, flushes, states: found.len(), new: 0, drafts: 0, bad: Vec::new() };
    for state in &found {
        let wrong = match judge(fat, &state.image) {
            Err(error) => format!("{error:#}"),
            Ok(Found { vars, draft }) => {
                tally.drafts += usize::from(draft);
                tally.new += usize::from(is_new(&vars));
                match () {
                    () if uboot::next_boot(&vars).is_err() => {
                        format!("U-Boot would never fall back: {vars:?}")
                    }
                    () if !is_whole(operation, &old, &new, &vars) => {
                        format!("expected the variables {old:?} or {new:?}, got {vars:?}")
                    }
                    () if state.is_done && vars != new => {
                        format!("the agent was done, and U-Boot still reads {vars:?}")
                    }
                    () => continue,
                }
            }
        };
        tally.bad.push(format!("{operation}: {}: {wrong}", state.what));
    }
    Ok(tally)
}

/// Whether the variables are those before or those after as a whole.
///
/// A fall-back may use up the tries, which are used up, once more before it stops the counting.
fn is_whole(operation: &str, old: &Vars, new: &Vars, vars: &Vars) -> bool {
    let mut used_up = old.clone();
    used_up.extend(vars.get("bootcount").map(|count| ("bootcount".to_owned(), count.clone())));
    let spent = operation == "fall-back" && uboot::next_boot(&used_up) == Ok(uboot::Next::Spent);
    vars == old || vars == new || spent && *vars == used_up
}

/// Whether an operation changed these three, and nothing else.
fn same_else(old: &Vars, vars: &Vars) -> bool {
    let without = |vars: &Vars| {
        let mut vars = vars.clone();
        vars.retain(|name, _| !["upgrade_available", "bootcount", "bootlimit"].contains(&name.as_str()));
        vars
    };
    without(old) == without(vars)
}

struct Found {
    vars: Vars,
    draft: bool,
}

fn judge(fat: &Fat, image: &Image) -> Result<Found> {
    image.save(&fat.file);
    let read = |fat: &Fat| {
        let env = fat.read("/uboot.env")?;
        uboot::vars(&env, 0x2000).map_err(|why| anyhow!("uboot.env: {why}"))
    };
    let vars = read(fat)?;
    let draft = fat.list("/")?.iter().any(|name| name.contains("rootling"));
    let repaired = read(&fat.repaired(fat.file.with_extension("fat"))?).context("after fsck.fat")?;
    ensure!(repaired == vars, "{vars:?} before fsck.fat, {repaired:?} after it");
    Ok(Found { vars, draft })
}

/// Where in the log this mark was written.
fn mark(entries: &[Entry], what: &str) -> Result<usize> {
    let text = format!("{MARK}{what} ");
    let found =
        entries.iter().position(|entry| entry.offset >= FAT && entry.data.starts_with(text.as_bytes()));
    found.with_context(|| format!("the log has no mark {what:?}"))
}
