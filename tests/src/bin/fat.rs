//! Judges states that a loss of power could leave on a FAT: `fat BASE WRITES LIMIT LEAST`, `fat env BASE WRITES LIMIT LEAST`.
//!
//! BASE is the disk before an update, WRITES the log of the update's writes, as `rootling-qemu validate --log-writes`
//! leaves them; `env` for those of its scenarios `fat-env` and `fat-env-renamed`. Fewer states, or different FATs, than LEAST are an error.

use anyhow::{Context, Result, bail, ensure};
use rootling_tests::fat::{Ask, env, replay};

const USAGE: &str = "usage: fat BASE WRITES LIMIT LEAST [--without-flush] [--confirmed COMMIT]..., fat env BASE WRITES LIMIT LEAST";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    match args.as_slice() {
        ["env", base, writes, limit, least] => {
            enough(environment(base, writes, number(limit)?, folder.path())?, number(least)?)
        }
        [base, writes, limit, least, rest @ ..] => {
            enough(entries(base, writes, number(limit)?, rest, folder.path())?, number(least)?)
        }
        _ => bail!("{USAGE}"),
    }
}

fn enough(states: usize, least: usize) -> Result<()> {
    ensure!(states >= least, "expected {least} states at least, got {states}");
    Ok(())
}

fn number(limit: &str) -> Result<usize> {
    limit.parse().with_context(|| format!("{limit:?}: expected a number"))
}

/// U-Boot's environment.
fn environment(base: &str, writes: &str, limit: usize, folder: &std::path::Path) -> Result<usize> {
    let (mut count, mut states) = (0, 0);
    for tally in env::replay(base.as_ref(), writes.as_ref(), limit, folder)? {
        println!(
            "FAT, {}: {} flushes, {} states, {} of them new, {} with two names, {} bad",
            tally.operation,
            tally.flushes,
            tally.states,
            tally.new,
            tally.drafts,
            tally.bad.len()
        );
        tally.bad.iter().take(3).for_each(|bad| println!("   {bad}"));
        count += tally.bad.len();
        states += tally.states;
    }
    ensure!(count == 0, "{count} bad states");
    Ok(states)
}

/// What systemd-boot reads.
fn entries(
    base: &str,
    writes: &str,
    limit: usize,
    flags: &[&str],
    folder: &std::path::Path,
) -> Result<usize> {
    let mut ask = Ask { limit, without_flush: false, confirmed: Vec::new() };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match *flag {
            "--without-flush" => ask.without_flush = true,
            "--confirmed" => ask.confirmed.push(flags.next().context(USAGE)?.to_string()),
            other => bail!("{other}: not known\n{USAGE}"),
        }
    }
    let tally = replay(base.as_ref(), writes.as_ref(), &ask, folder)?;
    for bad in tally.bad.iter().take(5) {
        println!("   {bad}");
    }
    println!(
        "FAT: {} states with {} different FATs, in {} of them a system is on trial, {} bad",
        tally.states,
        tally.fats,
        tally.trial,
        tally.bad.len()
    );
    match ask.without_flush {
        false => ensure!(tally.bad.is_empty(), "{} bad states", tally.bad.len()),
        true => ensure!(!tally.bad.is_empty(), "without flushes nothing was found bad"),
    }
    Ok(tally.fats)
}
