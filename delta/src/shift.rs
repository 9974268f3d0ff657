//! Numbers that move in blocks: each moves as the nearest one whose move is known.

/// Most known moves; further ones are not remembered. Changing it breaks the format.
const MAX: usize = 4096;

/// Known moves as (old number, new - old), ascending.
#[derive(Debug, Default)]
pub(crate) struct Shifts(Vec<(u64, u64)>);

impl Shifts {
    /// Where `old` went if it moved as the nearest known number, the lower of two equally near.
    pub(crate) fn apply(&self, old: u64) -> u64 {
        let after = self.0.partition_point(|(known, _)| *known <= old);
        let before = after.checked_sub(1).and_then(|before| self.0.get(before));
        let nearest = match (before, self.0.get(after)) {
            (Some(before), Some(after)) => {
                if after.0.wrapping_sub(old) < old.wrapping_sub(before.0) {
                    after
                } else {
                    before
                }
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return old,
        };
        old.wrapping_add(nearest.1)
    }

    /// Remembers that `old` became `new`.
    pub(crate) fn learn(&mut self, old: u64, new: u64) {
        let change = new.wrapping_sub(old);
        match self.0.binary_search_by_key(&old, |(known, _)| *known) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = change;
                }
            }
            Err(at) if self.0.len() < MAX => self.0.insert(at, (old, change)),
            Err(_) => {}
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
