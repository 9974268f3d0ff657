//! The line on a terminal.

use super::Count;
use crate::text::size;

const WIDTH: u64 = 30;

/// `[=====>    ] 120/400 objects, 3.1 MB`; the number of known objects grows while trees are read.
pub fn line(count: Count) -> String {
    let Count { done, known, bytes } = count;
    let filled = done.saturating_mul(WIDTH).checked_div(known).unwrap_or(0).min(WIDTH);
    let bar: String = (0..WIDTH).map(|i| if i < filled { '=' } else { ' ' }).collect();
    format!("[{bar}] {done}/{known} objects, {}", size(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_never_overflows() {
        assert!(line(Count { done: 5, known: 0, bytes: 0 }).starts_with(&format!("[{}]", " ".repeat(30))));
        assert!(line(Count { done: 9, known: 4, bytes: 0 }).starts_with(&format!("[{}]", "=".repeat(30))));
    }
}
