//! Numbers that move in blocks: each moves as the nearest one whose move is known.

use crate::num::{before, up_to};

/// Most known moves; further ones are not remembered. Changing it breaks the format.
const MAX: usize = 4096;

/// Known moves as (old number, new - old), ascending.
#[derive(Debug, Default)]
pub(crate) struct Shifts(Vec<(u64, u64)>);

impl Shifts {
    /// Where `old` went if it moved as the nearest known number, the lower of two equally near.
    pub(crate) fn apply(&self, old: u64) -> u64 {
        let ahead = self.0.get(up_to(&self.0, old));
        let nearest = match (before(&self.0, old), ahead) {
            (Some(back), Some(ahead)) if ahead.0.wrapping_sub(old) >= old.wrapping_sub(back.0) => back,
            (_, Some(one)) | (Some(one), None) => one,
            (None, None) => return old,
        };
        old.wrapping_add(nearest.1)
    }

    /// Remembers that `old` became `new`.
    pub(crate) fn learn(&mut self, old: u64, new: u64) {
        let (change, after, is_full) = (new.wrapping_sub(old), up_to(&self.0, old), self.0.len() >= MAX);
        match after.checked_sub(1).and_then(|at| self.0.get_mut(at)) {
            Some(entry) if entry.0 == old => entry.1 = change,
            _ if !is_full => self.0.insert(after, (old, change)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_known_number_decides() {
        let mut shifts = Shifts::default();
        assert_eq!(shifts.apply(7), 7);
        shifts.learn(100, 105);
        shifts.learn(200, 198);
        for (old, new) in [(0, 5), (100, 105), (149, 154), (150, 155), (151, 149), (900, 898)] {
            assert_eq!(shifts.apply(old), new, "{old}");
        }
        shifts.learn(100, 100);
        assert_eq!(shifts.apply(100), 100);
    }
}
