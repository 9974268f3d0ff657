//! The time of day, never earlier than what is certain.
//!
//! A board without a battery wakes in 1970; certificates and time-stamps would then all look wrong. Two facts are
//! certain on every device: it is later than this program's build, and later than the newest verified commit.

use std::time::{SystemTime, UNIX_EPOCH};

/// The moment of the build, from `SOURCE_DATE_EPOCH`; without it, the month this was written.
pub const BUILD_TIME: u64 = match option_env!("SOURCE_DATE_EPOCH") {
    Some(text) => decimal(text.as_bytes()),
    None => 1_793_491_200,
};

/// A clock with a floor, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    floor: u64,
    system: u64,
}

impl Clock {
    /// The system's clock as it is now, at least at the build time.
    pub fn read() -> Clock {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Clock::at(system)
    }

    /// A clock that shows `system`.
    pub fn at(system: u64) -> Clock {
        Clock { floor: BUILD_TIME, system }
    }

    /// The same clock, knowing that it is at least `moment`.
    pub fn not_before(self, moment: u64) -> Clock {
        Clock { floor: self.floor.max(moment), ..self }
    }

    /// The best guess of the time.
    pub fn now(&self) -> u64 {
        self.system.max(self.floor)
    }

    /// Whether the system's clock is known to be wrong.
    pub fn is_behind(&self) -> bool {
        self.system < self.floor
    }
}

const fn decimal(digits: &[u8]) -> u64 {
    let (mut value, mut index) = (0u64, 0);
    while index < digits.len() {
        assert!(digits[index].is_ascii_digit(), "SOURCE_DATE_EPOCH must be seconds since 1970");
        value = value * 10 + (digits[index] - b'0') as u64;
        index += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_that_wakes_in_1970_does_not_believe_it() {
        let clock = Clock::at(5);
        assert!(clock.is_behind());
        assert_eq!(clock.now(), BUILD_TIME);
        assert_eq!(clock.not_before(BUILD_TIME + 9).now(), BUILD_TIME + 9);
        let clock = Clock::at(BUILD_TIME + 100);
        assert_eq!((clock.not_before(1).now(), clock.is_behind()), (BUILD_TIME + 100, false));
    }

    #[test]
    fn reads_seconds_at_build_time() {
        assert_eq!(decimal(b"1793491200"), 1_793_491_200);
    }
}
