//! What is told on the console, which need not be there nor take anything.

use std::fmt::Display;
use std::io::Write as _;

/// Tells one line; nothing hangs on it.
pub fn tell(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "rootling-prepare-root: {what}");
}
