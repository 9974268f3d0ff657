//! When to try again, and after how long.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::exit::Exit;

/// How often and how patiently something is tried.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
    /// How to pause; tests do not.
    pub pause: fn(Duration),
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 5,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(16),
            pause: std::thread::sleep,
        }
    }
}

impl Retry {
    /// Runs `work` until it succeeds, fails for good, or has failed too often.
    ///
    /// A corrupt answer gets one more try: `work` learns of it by `fresh` and asks past the caches.
    pub fn run<T>(&self, mut work: impl FnMut(bool) -> Result<T>) -> Result<T> {
        let (mut tried, mut fresh) = (0, false);
        loop {
            tried += 1;
            let error = match work(fresh) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match error.exit() {
                Exit::Network if tried < self.attempts => {
                    rootling_store::warn!("{error}; trying again");
                    (self.pause)(self.wait(tried));
                }
                Exit::Corrupt if !fresh => {
                    rootling_store::warn!("{error}; trying once more");
                    fresh = true;
                }
                Exit::Network if tried > 1 => {
                    return Err(Error::retry(format_args!("{error} ({tried} attempts)")));
                }
                _ => return Err(error),
            }
        }
    }

    fn wait(&self, tried: u32) -> Duration {
        self.first.saturating_mul(1 << (tried - 1).min(16)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasty(attempts: u32) -> Retry {
        Retry { attempts, pause: |_| {}, ..Retry::default() }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry = Retry::default();
        let waits: Vec<u64> = (1..=6).map(|tried| retry.wait(tried).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16]);
    }

    #[test]
    fn tries_again_only_what_may_help() {
        let count = |error: Error| {
            let mut tried = 0;
            let result: Result<()> = hasty(3).run(|_| {
                tried += 1;
                Err(error.clone())
            });
            (tried, result.expect_err("always fails").to_string())
        };
        assert_eq!(count(Error::retry(format_args!("x"))), (3, "x (3 attempts)".into()));
        assert_eq!(count(Error::corrupt(format_args!("x"))), (2, "x".into()));
        assert_eq!(count(Error::refused(format_args!("x"))), (1, "x".into()));
        assert_eq!(count(Error::untrusted(format_args!("x"))), (1, "x".into()));
    }

    #[test]
    fn a_corrupt_answer_is_asked_for_afresh() {
        let mut seen = Vec::new();
        let result = hasty(5).run(|fresh| {
            seen.push(fresh);
            if fresh { Ok(7) } else { Err(Error::corrupt(format_args!("x"))) }
        });
        assert_eq!((result, seen), (Ok(7), vec![false, true]));
    }
}
