//! `automatic-version-prefix`: the version after the previous commit's.
//!
//! Without a date the first version is the prefix itself, then `PREFIX.1`, `PREFIX.2`. With `<date:FORMAT>` in the
//! prefix it starts at `PREFIX.0`, as rpm-ostree counts. The date is that of the commit's timestamp in UTC, not of
//! the clock, so that the same lock file gives the same version on any day.

use anyhow::{Result, bail};

use crate::date::Civil;

/// The version for a commit of time `timestamp` (seconds) after one of version `last`.
pub fn next_version(prefix: &str, last: Option<&str>, timestamp: u64) -> Result<String> {
    let (prefix, dated) = match prefix.split_once("<date:") {
        Some((before, after)) => match after.split_once('>') {
            Some((format, tail)) => (format!("{before}{}{tail}", strftime(format, timestamp)?), true),
            None => (prefix.to_string(), false),
        },
        None => (prefix.to_string(), false),
    };
    let first = if dated { format!("{prefix}.0") } else { prefix.clone() };
    let Some(rest) = last.and_then(|last| last.strip_prefix(prefix.as_str())) else { return Ok(first) };
    if rest.is_empty() {
        return Ok(if dated { first } else { format!("{prefix}.1") });
    }
    let Some(number) = rest.strip_prefix('.') else { return Ok(first) };
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    let number = digits.parse::<u64>().unwrap_or(0);
    let Some(next) = number.checked_add(1) else { bail!("version {last:?} cannot be counted up") };
    Ok(format!("{prefix}.{next}"))
}

fn strftime(format: &str, timestamp: u64) -> Result<String> {
    let date = Civil::from_unix(timestamp);
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out += &date.year.to_string(),
            Some('y') => out += &format!("{:02}", date.year % 100),
            Some('m') => out += &format!("{:02}", date.month),
            Some('d') => out += &format!("{:02}", date.day),
            Some('j') => out += &format!("{:03}", date.day_of_year),
            Some('H') => out += &format!("{:02}", date.hour),
            Some('M') => out += &format!("{:02}", date.minute),
            Some('S') => out += &format!("{:02}", date.second),
            Some('s') => out += &timestamp.to_string(),
            Some('F') => out += &format!("{}-{:02}-{:02}", date.year, date.month, date.day),
            Some('%') => out.push('%'),
            other => bail!(
                "date format {format:?} has %{}, expected one of %Y %y %m %d %j %H %M %S %s %F %%",
                other.map(String::from).unwrap_or_default()
            ),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 12:34:56 UTC.
    const LEAP_DAY: u64 = 1_709_210_096;

    #[test]
    fn counts_like_rpm_ostree() {
        for (prefix, last, expected) in [
            ("10", None, "10"),
            ("10", Some("9.4"), "10"),
            ("10", Some("10"), "10.1"),
            ("10", Some("10.1"), "10.2"),
            ("10", Some("101"), "10"),
            ("10.1", Some("10.1.99"), "10.1.100"),
            ("10.<date:%Y%m%d>", None, "10.20240229.0"),
            ("10.<date:%Y%m%d>", Some("10.20240229"), "10.20240229.0"),
            ("10.<date:%Y%m%d>", Some("10.20240229.0"), "10.20240229.1"),
            ("10.<date:%Y%m%d>", Some("10.20240228.5"), "10.20240229.0"),
            ("<date:%y.%j>.x", Some("24.060.x.7"), "24.060.x.8"),
            ("10.<wrong:%Y>", None, "10.<wrong:%Y>"),
        ] {
            assert_eq!(next_version(prefix, last, LEAP_DAY).unwrap(), expected, "{prefix} {last:?}");
        }
        assert!(next_version("<date:%E>", None, 0).is_err());
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        for (timestamp, expected) in [
            (0, "1970-01-01 00:00:00 001"),
            (951_782_400, "2000-02-29 00:00:00 060"),
            (LEAP_DAY, "2024-02-29 12:34:56 060"),
            (4_102_444_799, "2099-12-31 23:59:59 365"),
        ] {
            assert_eq!(strftime("%F %H:%M:%S %j", timestamp).unwrap(), expected);
        }
    }
}
