//! Judges states that a loss of power could leave on a FAT boot partition: `fat BASE WRITES LIMIT`.
//!
//! BASE is the disk before an update, WRITES the log of the update's writes, as `rootling-qemu validate --log-writes`
//! leaves them.

use anyhow::{Context, Result, bail, ensure};
use rootling_tests::fat::{Ask, replay};

const USAGE: &str = "usage: fat BASE WRITES LIMIT [--without-flush] [--several]";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [base, writes, limit, rest @ ..] = args.as_slice() else { bail!("{USAGE}") };
    let limit = limit.parse().with_context(|| format!("LIMIT {limit:?}: expected a number"))?;
    let mut ask = Ask { limit, without_flush: false, several: false };
    for flag in rest {
        match flag.as_str() {
            "--without-flush" => ask.without_flush = true,
            "--several" => ask.several = true,
            other => bail!("{other}: not known\n{USAGE}"),
        }
    }
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let tally = replay(base.as_ref(), writes.as_ref(), ask, folder.path())?;
    for bad in tally.bad.iter().take(5) {
        println!("   {bad}");
    }
    println!(
        "FAT: {} states, in {} of them a system is on trial, {} bad",
        tally.states,
        tally.trial,
        tally.bad.len()
    );
    match ask.without_flush {
        false => ensure!(tally.bad.is_empty(), "{} bad states", tally.bad.len()),
        true => ensure!(!tally.bad.is_empty(), "without flushes nothing was found bad"),
    }
    Ok(())
}
