//! Counters of 64 bits that several threads add to, on processors without 64-bit atomics (ARMv5) too.

#[cfg(target_has_atomic = "64")]
pub use std::sync::atomic::{AtomicI64, AtomicU64};

#[cfg(not(target_has_atomic = "64"))]
pub use locked::{AtomicI64, AtomicU64};

#[cfg(any(test, not(target_has_atomic = "64")))]
mod locked {
    use std::sync::atomic::Ordering;
    use std::sync::{Mutex, PoisonError};

    /// What `std` calls by the same names, for as much of it as is used.
    #[derive(Debug, Default)]
    pub struct Locked<T>(Mutex<T>);

    /// In the place of that of `std`.
    pub type AtomicU64 = Locked<u64>;
    /// In the place of that of `std`.
    pub type AtomicI64 = Locked<i64>;

    impl<T: Copy> Locked<T> {
        pub const fn new(value: T) -> Locked<T> {
            Locked(Mutex::new(value))
        }

        pub fn load(&self, order: Ordering) -> T {
            self.update(order, |value| value)
        }

        pub fn store(&self, new: T, order: Ordering) {
            self.update(order, |_| new);
        }

        pub fn into_inner(self) -> T {
            self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn compare_exchange(&self, old: T, new: T, order: Ordering, _: Ordering) -> Result<T, T>
        where
            T: PartialEq,
        {
            let there = self.update(order, |value| if value == old { new } else { value });
            if there == old { Ok(there) } else { Err(there) }
        }

        fn update(&self, _: Ordering, change: impl FnOnce(T) -> T) -> T {
            let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *value;
            *value = change(before);
            before
        }
    }

    impl AtomicU64 {
        pub fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
            self.update(order, |value| value.wrapping_add(more))
        }
    }

    impl AtomicI64 {
        pub fn fetch_add(&self, more: i64, order: Ordering) -> i64 {
            self.update(order, |value| value.wrapping_add(more))
        }

        pub fn fetch_sub(&self, less: i64, order: Ordering) -> i64 {
            self.update(order, |value| value.wrapping_sub(less))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::locked::{AtomicI64, AtomicU64};
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn the_locked_ones_count_as_those_of_std() {
        let sum = AtomicU64::new(u64::from(u32::MAX));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| _ = sum.fetch_add(1 << 32, Relaxed)));
            }
        });
        assert_eq!(sum.load(Relaxed), (4000 << 32) + u64::from(u32::MAX));
        let left = AtomicI64::new(5);
        assert_eq!((left.fetch_sub(7, Relaxed), left.load(Relaxed)), (5, -2));
        assert_eq!((left.fetch_add(7, Relaxed), left.load(Relaxed)), (-2, 5));
        assert_eq!(left.compare_exchange(4, 6, Relaxed, Relaxed), Err(5));
        assert_eq!(left.compare_exchange(5, 6, Relaxed, Relaxed), Ok(5));
        assert_eq!(left.load(Relaxed), 6);
        left.store(i64::MIN, Relaxed);
        left.fetch_sub(1, Relaxed);
        assert_eq!(left.into_inner(), i64::MAX);
    }
}
