//! What is told on the console, which need not be there nor take anything.

use std::fmt::Display;
use std::io::Write as _;

/// Tells one line, in one piece; nothing hangs on it.
pub fn tell(what: impl Display) {
    let _ = std::io::stderr().write_all(format!("rootling-prepare-root: {what}\n").as_bytes());
}
