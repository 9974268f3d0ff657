//! How much of the replay is done, and what it goes without.

use super::disk::{BTRFS, EXT4, F2FS, Kind, Layout};
use super::loader::Loader;
use super::scene::{Op, Scene};
use super::tally::Least;

/// What the agent or the disk does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// The agent's fsync and syncfs do nothing.
    Fsync,
    /// The file system sends no flush.
    Flush,
    /// The agent's calls that empty a journal are refused, as by a file system that has none.
    Freeze,
    /// Files that a loader reads are renamed over, not exchanged, as by a kernel that cannot.
    Exchange,
}

/// Whether another program changes `/boot` meanwhile, so that its blocks stay in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    No,
    /// One scene is also played so: without an emptied journal the state with all that was written is bad.
    OneToo,
    Yes,
}

/// How much is done.
pub struct Mode {
    pub kinds: Vec<&'static Kind>,
    /// Those that were asked for and that this kernel does not mount.
    pub unknown: Vec<&'static Kind>,
    /// `/boot` is on the same disk, on its own, or both in turn.
    pub own_boot: &'static [bool],
    pub loaders: &'static [Loader],
    /// States of each scene, at most; in a full run of those between flushes.
    pub limit: usize,
    /// The disk at every flush.
    pub every_flush: bool,
    /// Distinct states that all scenes, and those of each operation, have to come to.
    pub least: Least,
    /// Every n-th state is also followed by what comes next; in a full run each.
    pub goes_on: usize,
    pub without: Option<Without>,
    pub busy: Busy,
}

impl Mode {
    /// What the environment asks for.
    pub fn here() -> Mode {
        let asked = std::env::var("ROOTLING_REPLAY").ok();
        let own = asked.as_deref().and_then(|mode| mode.strip_prefix("own-boot"));
        let small = Mode {
            kinds: vec![&EXT4],
            unknown: Vec::new(),
            own_boot: if own.is_some() { &[true] } else { &[false] },
            loaders: &[Loader::Grub, Loader::UBoot],
            limit: 40,
            every_flush: false,
            least: Least { all: 750, each: 140 },
            goes_on: 10,
            without: None,
            busy: Busy::No,
        };
        let mode = own.map(|rest| if rest.is_empty() { "full" } else { rest.trim_start_matches('-') });
        let without = |what| Mode {
            loaders: if what == Without::Exchange { small.loaders } else { &[Loader::Grub] },
            limit: 65,
            // a finalize without its fsync is over before anything is written
            least: Least { all: 200, each: 1 },
            without: Some(what),
            busy: if what == Without::Freeze { Busy::Yes } else { Busy::No },
            kinds: vec![&EXT4],
            unknown: Vec::new(),
            ..small
        };
        match mode.or(asked.as_deref()) {
            // a few states of the other layout too
            None => Mode { own_boot: &[false, true], busy: Busy::OneToo, ..small },
            Some("full") => {
                let asked = if own.is_some() { vec![&EXT4] } else { vec![&EXT4, &BTRFS, &F2FS] };
                let (kinds, unknown) = asked.into_iter().partition(|kind| kind.is_known());
                let all = if own.is_some() { 2500 } else { 5000 };
                let least = Least { all, each: 500 };
                Mode { kinds, unknown, limit: 400, every_flush: true, goes_on: 1, least, ..small }
            }
            Some("fsync") => without(Without::Fsync),
            Some("flush") => without(Without::Flush),
            Some("freeze") => without(Without::Freeze),
            Some("exchange") => without(Without::Exchange),
            Some("busy") => {
                Mode { without: None, least: Least { all: 300, each: 60 }, ..without(Without::Freeze) }
            }
            Some(other) => {
                panic!(
                    "ROOTLING_REPLAY={other}: expected [own-boot-] full, busy, fsync, flush, freeze, exchange"
                )
            }
        }
    }

    /// How often a scene is played: beside a busy program or not.
    pub fn plays(&self, scene: &Scene, layout: &Layout) -> &'static [bool] {
        let one = scene.op == Op::Rollback && scene.loader == Loader::Grub && !layout.own_boot;
        match self.busy {
            Busy::OneToo if one => &[false, true],
            Busy::No | Busy::OneToo => &[false],
            Busy::Yes => &[true],
        }
    }
}
