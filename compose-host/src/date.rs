//! The calendar in UTC.

/// A moment of the calendar.
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) day_of_year: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Civil {
    /// The moment of a time in seconds since 1970.
    pub(crate) fn from_unix(timestamp: u64) -> Civil {
        let (mut days, time) = (timestamp / 86_400, timestamp % 86_400);
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        // whole 400-year cycles first, so that a wild timestamp does not loop for long
        let mut year = 1970 + days / 146_097 * 400;
        days %= 146_097;
        loop {
            let length = if leap(year) { 366 } else { 365 };
            if days < length {
                break;
            }
            days -= length;
            year += 1;
        }
        let day_of_year = days + 1;
        let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 1;
        for length in lengths {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        Civil {
            year,
            month,
            day: days + 1,
            day_of_year,
            hour: time / 3600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }
}
