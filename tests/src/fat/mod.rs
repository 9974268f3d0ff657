//! The power cut at every write to a FAT boot partition: what systemd-boot would find.
//!
//! No driver for FAT may be here, so an update ran in a virtual machine that logged its disk's writes. Of those to the FAT
//! partition any part after a flush may be missing; what went to the root is taken as written, which `tests/it/replay`
//! does not do. mtools read the FAT, before `fsck.fat` and after it; the kernel mounts the root. `env` is the same for a
//! file that U-Boot reads.

mod disk;
pub mod env;
mod loader;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::writes::image::{BLOCK, Image};
use crate::writes::log::{self, Entry, FLUSH, FUA};
use crate::writes::states::{self, State, states};
use disk::{Disk, Fat, NoVerdict, Part};

/// A fixed sequence, so that a failure can be repeated.
const SEED: u64 = 20_261_126;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// States at most.
    pub limit: usize,
    /// The disk loses any of the writes, flushed or not: there must be bad states.
    pub without_flush: bool,
    /// The commits that were confirmed in between, beside the first and the last.
    pub confirmed: Vec<String>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Tally {
    /// Distinct disks.
    pub states: usize,
    /// Distinct FAT partitions among them.
    pub fats: usize,
    /// Those of them from which a system boots on trial.
    pub trial: usize,
    /// What is wrong with the others.
    pub bad: Vec<String>,
}

/// Judges at most `limit` states of a disk by the log of an update's writes; works in a folder of its own.
pub fn replay(base: &Path, writes: &Path, ask: &Ask, folder: &Path) -> Result<Tally> {
    let (esp, root) = disk::parts(base)?;
    let text = fs::read(writes).with_context(|| format!("read {}", writes.display()))?;
    let mut entries = only(&log::read(&text), esp);
    if ask.without_flush {
        entries.iter_mut().for_each(|entry| entry.flags &= !FLUSH);
    }
    let fat = Fat { file: folder.join("disk"), part: esp };
    let disk = Disk { fat, root, at: folder.join("root") };
    let base = Image::read(base);
    let old = judge(&disk, &base)?;
    ensure!(!old.counted, "the disk before the update: {old:?} is on trial");
    let ask_states = states::Ask { limit: ask.limit, every_flush: true, block: BLOCK, seed: SEED };
    let states = states(&base, &entries, ask_states).states;
    let last = states.iter().find(|state| state.is_last).context("no state with all that was written")?;
    let new = judge(&disk, &last.image).context(last.what.clone())?;
    ensure!(!new.counted, "after all that was written {new:?} is still on trial");
    let mut expected = vec![old.commit, new.commit];
    expected.extend(ask.confirmed.iter().cloned());
    let (mut tally, mut seen, mut fats) = (Tally::default(), BTreeSet::new(), BTreeSet::new());
    for State { what, image, .. } in &states {
        tally.states += 1;
        fats.insert(image.hash_of(esp.start, esp.length));
        match judge(&disk, image) {
            // on trial: what does not prove itself is left again
            Ok(found) if found.counted => tally.trial += 1,
            Ok(found) if expected.contains(&found.commit) => drop(seen.insert(found.commit)),
            Ok(found) => tally.bad.push(format!("{what}: {found:?}")),
            Err(error) if error.is::<NoVerdict>() => return Err(error.context(what.clone())),
            Err(error) => tally.bad.push(format!("{what}: {error:#}")),
        }
    }
    tally.fats = fats.len();
    let never = expected.iter().find(|commit| !seen.contains(*commit));
    ensure!(ask.without_flush || never.is_none(), "no state in which {never:?} boots without being counted");
    ensure!(tally.trial > 0, "no state in which a system is on trial");
    Ok(tally)
}

/// What would boot.
#[derive(Debug)]
struct Found {
    commit: String,
    counted: bool,
}

fn judge(disk: &Disk, image: &Image) -> Result<Found> {
    let fat = &disk.fat;
    image.save(&fat.file);
    let choice = loader::choose(fat)?;
    let link = choice.options.split(' ').find_map(|word| word.strip_prefix("ostree=/"));
    let repaired =
        loader::choose(&fat.repaired(fat.file.with_extension("esp"))?).context("after fsck.fat")?;
    ensure!(repaired == choice, "{choice:?} before fsck.fat, {repaired:?} after it");
    let commit = disk.deployment(link.context("no ostree= argument")?)?;
    if let Some(options) = &choice.fallback {
        let link = options.split(' ').find_map(|word| word.strip_prefix("ostree=/"));
        let other = disk.deployment(link.context("no ostree= argument")?)?;
        ensure!(other != commit, "what is on trial would fall back to itself");
    }
    Ok(Found { commit, counted: choice.counted })
}

/// The log with flushes only where something in this part waits for one, and all other writes durable at once.
fn only(entries: &[Entry], part: Part) -> Vec<Entry> {
    let inside = |entry: &Entry| entry.offset >= part.start && entry.offset < part.start + part.length;
    let (mut kept, mut waits) = (Vec::new(), false);
    for entry in entries {
        let mut entry = entry.clone();
        if entry.flags & FLUSH != 0 && !std::mem::take(&mut waits) {
            entry.flags &= !FLUSH;
        }
        if !entry.data.is_empty() {
            match inside(&entry) {
                true => waits = true,
                false => entry.flags |= FUA,
            }
        }
        if entry.flags & FLUSH != 0 || !entry.data.is_empty() {
            kept.push(entry);
        }
    }
    kept
}

#[test]
fn flushes_count_where_the_part_was_written() {
    let write = |offset| Entry { offset, flags: 0, data: vec![1; 512] };
    let flush = Entry { offset: 0, flags: FLUSH, data: Vec::new() };
    let part = Part { start: 4096, length: 4096 };
    let kept = only(&[write(0), flush.clone(), write(4096), write(8192), flush.clone(), flush.clone()], part);
    let outside = |offset| Entry { flags: FUA, ..write(offset) };
    assert_eq!(kept, [outside(0), write(4096), outside(8192), flush]);
}
