//! The exit codes that scripts rely on; a number once given is never reused.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Failed for a reason that has no number of its own.
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// Refused: signature, ref binding or time-stamp.
    Untrusted = 3,
    /// The network or the server failed; trying again may help.
    Network = 4,
    /// Not enough free space.
    Space = 5,
    /// Another updater is at work.
    Locked = 6,
    /// Bytes on disk or from the server do not match their name.
    Corrupt = 7,
    /// A fault of this program.
    Bug = 70,
    /// Nothing new, as with `rpm-ostree upgrade --unchanged-exit-77`.
    Unchanged = 77,
}

impl Exit {
    /// Every code with its meaning, in the order the help text lists them.
    pub const ALL: [(Exit, &'static str); 10] = [
        (Exit::Ok, "done"),
        (Exit::Failed, "failed, for any other reason"),
        (Exit::Usage, "the command line was not understood"),
        (Exit::Untrusted, "refused: signature, ref binding or time-stamp"),
        (Exit::Network, "the network or the server failed; trying again may help"),
        (Exit::Space, "not enough free space; nothing was changed"),
        (Exit::Locked, "another updater is at work"),
        (Exit::Corrupt, "bytes that do not match their checksum or form"),
        (Exit::Bug, "a fault of this program"),
        (Exit::Unchanged, "nothing new"),
    ];

    /// The number the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// A word for the code, as JSON progress reports it.
    pub fn word(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Untrusted => "untrusted",
            Exit::Network => "network",
            Exit::Space => "space",
            Exit::Locked => "locked",
            Exit::Corrupt => "corrupt",
            Exit::Bug => "bug",
            Exit::Unchanged => "unchanged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_distinct_and_ascending() {
        for pair in Exit::ALL.windows(2) {
            assert!(pair[0].0.code() < pair[1].0.code(), "{pair:?}");
        }
    }
}
