//! What happened to a machine, and when.

use super::marker::Booted;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Seconds since the scenario began.
    pub at: f64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// QEMU was started, or the guest restarts.
    Start,
    /// The guest's init runs.
    Booted(Booted),
    /// A shell waits.
    Ready,
    /// The kernel gave up.
    Panic,
    /// A command was typed.
    Command(String),
    /// QEMU was killed.
    Cut,
    /// Something was measured.
    Measured(String),
}
