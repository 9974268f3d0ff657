//! How many states were judged, no disk counted twice.

use super::scene::Op;
use std::collections::HashSet;
use std::fmt;

/// What came out for one scene, or for all.
#[derive(Debug, Default)]
pub struct Tally {
    /// Checksums of the disks: one that two scenes have in common is one state.
    pub states: HashSet<u128>,
    pub new: usize,
    /// Flushes of the disk that are none of the states.
    pub flushes_left_out: usize,
    /// States that could only be mounted when tried again.
    pub again: usize,
    pub bad: Vec<String>,
}

impl Tally {
    /// Adds those of a scene.
    pub fn add(&mut self, title: &str, scene: Tally) {
        self.states.extend(scene.states);
        self.new += scene.new;
        self.flushes_left_out += scene.flushes_left_out;
        self.again += scene.again;
        self.bad.extend(scene.bad.into_iter().map(|bad| format!("{title}: {bad}")));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} judged as after it, {} bad, {} mounted at another try, {} flushes left out",
            self.states.len(),
            self.new,
            self.bad.len(),
            self.again,
            self.flushes_left_out
        )
    }
}

/// Distinct states that a run has to come to.
#[derive(Debug, Clone, Copy)]
pub struct Least {
    pub all: usize,
    /// Of each operation, whether it was run or not.
    pub each: usize,
}

/// The distinct states of each operation, none of which may be missing.
pub fn of_each(scenes: &[(Op, HashSet<u128>)]) -> Vec<(Op, usize)> {
    let of = |op| scenes.iter().filter(move |(of, _)| *of == op).flat_map(|(_, states)| states);
    Op::ALL.map(|op| (op, of(op).collect::<HashSet<_>>().len())).to_vec()
}

/// Says what a run lacks of the distinct states that it was to have.
pub fn too_few(least: Least, all: usize, of_each: &[(Op, usize)]) -> Option<String> {
    if all < least.all {
        return Some(format!("expected {} states at least, got {all}", least.all));
    }
    let few = of_each.iter().find(|(_, states)| *states < least.each);
    few.map(|(op, states)| format!("expected {} states of {op:?} at least, got {states}", least.each))
}

#[test]
fn a_run_of_too_few_states_is_none() {
    let least = Least { all: 10, each: 4 };
    let scenes = |ops: &[Op]| ops.iter().map(|op| (*op, (0..4).collect())).collect::<Vec<_>>();
    let few = |all, scenes: &[(Op, HashSet<u128>)]| too_few(least, all, &of_each(scenes));
    assert_eq!(few(10, &scenes(&Op::ALL)), None);
    assert_eq!(few(9, &scenes(&Op::ALL)).unwrap(), "expected 10 states at least, got 9");
    // two scenes with the same disks
    let mut twice = scenes(&Op::ALL);
    twice[0].1 = (0..3).collect();
    twice.push((Op::ALL[0], (1..3).collect()));
    assert_eq!(few(10, &twice).unwrap(), "expected 4 states of Upgrade at least, got 3");
    let left_out = few(10, &scenes(&Op::ALL[1..])).unwrap();
    assert_eq!(left_out, "expected 4 states of Upgrade at least, got 0");
}
