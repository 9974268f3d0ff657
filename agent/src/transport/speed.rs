//! The low-speed limit: a connection that drips is as useless as one that hangs.
//!
//! Only the time spent waiting for the network counts, so that a slow disk is not taken for a slow server.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Speed over one window of waiting.
#[derive(Debug, Clone)]
pub struct Speed {
    least: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Speed {
    /// At least `least` bytes a second over every `window`.
    pub fn new(least: u64, window: Duration) -> Speed {
        Speed { least, window, waited: Duration::ZERO, bytes: 0 }
    }

    /// Notes that `bytes` came after `waited`.
    pub fn note(&mut self, waited: Duration, bytes: u64) -> Result<(), Error> {
        self.waited = self.waited.saturating_add(waited);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < self.window || self.least == 0 {
            return Ok(());
        }
        let waited = u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX).max(1);
        let speed = self.bytes.saturating_mul(1000) / waited;
        if speed < self.least {
            return Err(Error::retry(format_args!(
                "expected at least {} bytes a second over {} s, got {speed}",
                self.least,
                self.window.as_secs()
            )));
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

/// A reader that keeps to a [`Speed`].
#[derive(Debug)]
pub struct Timed<R> {
    inner: R,
    speed: Speed,
}

impl<R> Timed<R> {
    /// `inner`, timed.
    pub fn new(inner: R, speed: Speed) -> Timed<R> {
        Timed { inner, speed }
    }
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        let got = self.inner.read(buffer)?;
        if got > 0 {
            self.speed.note(start.elapsed(), got as u64).map_err(io::Error::other)?;
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drips_are_given_up_and_streams_are_not() {
        let second = Duration::from_secs(1);
        for (bytes, seconds_until_given_up) in [(1, Some(30)), (999, Some(30)), (1000, None), (50_000, None)]
        {
            let mut speed = Speed::new(1000, Duration::from_secs(30));
            let given_up = (1..=100).find(|_| speed.note(second, bytes).is_err());
            assert_eq!(given_up, seconds_until_given_up, "{bytes} bytes a second");
        }
        let mut none = Speed::new(0, second);
        assert_eq!(none.note(Duration::from_secs(99), 1), Ok(()));
    }
}
