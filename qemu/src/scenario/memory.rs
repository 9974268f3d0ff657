//! An update whose memory is measured inside the guest; on 32-bit ARM in a machine of 64 MiB.

use anyhow::{Context, Result, ensure};

use super::stage::Stage;

/// What the whole update may take, in KiB.
const LIMIT: u64 = 12 << 10;
/// What `time -v` calls it.
const PEAK: &str = "Maximum resident set size (kbytes): ";
/// A process that takes this many KiB, and little more.
const KNOWN: (&str, u64) = ("time -v dd if=/dev/zero of=/dev/null bs=16M count=1", 16 << 10);

/// Plays it.
pub fn play(stage: &mut Stage) -> Result<()> {
    let new = stage.publish("good-3")?;
    // busybox takes the kernel's KiB for pages and prints four times too much on machines whose pages have 4 KiB
    let said = number(&stage.machine.expect(KNOWN.0, 0)?, PEAK)?;
    let command = format!("time -v {}", stage.upgrade());
    let peak = number(&stage.machine.expect(&command, 0)?, PEAK)? / factor(KNOWN.1, said)?;
    stage.machine.measured(format!("peak memory {peak} KiB of {LIMIT} KiB, machine of {} MiB", stage.memory));
    ensure!(peak <= LIMIT, "peak memory of rootling upgrade: expected {LIMIT} KiB at most, got {peak} KiB");
    stage.proves_itself(&new)
}

/// The number after a word.
fn number(lines: &[String], word: &str) -> Result<u64> {
    let rest = lines.iter().find_map(|line| line.split_once(word)).map(|(_, rest)| rest.trim());
    let digits = rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    digits.with_context(|| format!("expected a number after {word:?}, got {lines:?}"))
}

/// By how much `time` exaggerates: 1 or the KiB of a page.
fn factor(truth: u64, said: u64) -> Result<u64> {
    for factor in [1, 4] {
        if (truth * factor..=truth * factor * 5 / 4).contains(&said) {
            return Ok(factor);
        }
    }
    anyhow::bail!("time -v: expected about {truth} KiB or four times that, got {said}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_time_is_found_by_a_known_process() {
        assert_eq!(factor(1000, 1004).unwrap(), 1);
        assert_eq!(factor(1000, 4016).unwrap(), 4);
        for wrong in [0, 999, 2000, 3999, 6000] {
            assert!(factor(1000, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_stand_after_their_words() {
        let lines = ["\tExit status: 0".to_owned(), format!("\t{PEAK}4016")];
        assert_eq!(number(&lines, PEAK).unwrap(), 4016);
        assert!(number(&lines[..1], PEAK).is_err());
        assert!(number(&[format!("{PEAK}much")], PEAK).is_err());
    }
}
