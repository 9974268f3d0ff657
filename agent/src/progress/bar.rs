//! The line on a terminal.

use super::Count;

const WIDTH: u64 = 30;

/// `[=====>    ] 120/400 objects, 3.1 MB`; the number of known objects grows while trees are read.
pub fn line(count: Count) -> String {
    let Count { done, known, bytes } = count;
    let filled = done.saturating_mul(WIDTH).checked_div(known).unwrap_or(0).min(WIDTH);
    let bar: String = (0..WIDTH).map(|i| if i < filled { '=' } else { ' ' }).collect();
    format!("[{bar}] {done}/{known} objects, {}", size(bytes))
}

/// Bytes as people read them, in powers of ten.
pub fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit / (unit / 10));
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_999 => format!("{} kB", tenths(1_000)),
        1_000_000..=999_999_999 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (3_150_000, "3.1 MB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_bar_never_overflows() {
        assert!(line(Count { done: 5, known: 0, bytes: 0 }).starts_with(&format!("[{}]", " ".repeat(30))));
        assert!(line(Count { done: 9, known: 4, bytes: 0 }).starts_with(&format!("[{}]", "=".repeat(30))));
    }
}
