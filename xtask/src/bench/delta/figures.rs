//! What one method took for one corpus.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::measure::{Cost, successful};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Who did it.
    pub method: String,
    /// What a client fetches.
    pub bytes: u64,
    /// Making it.
    pub encode: Spent,
    /// Using it.
    pub decode: Spent,
}

/// The cost of one or more processes, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// From start to end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Of the largest process, in bytes.
    pub peak_rss: u64,
}

impl Spent {
    /// Runs a command that must succeed, and adds what it took.
    pub fn run(&mut self, command: &mut Command) -> Result<Cost> {
        let cost = successful(command)?;
        self.wall += cost.wall;
        self.cpu += cost.used.cpu;
        self.peak_rss = self.peak_rss.max(cost.used.peak_rss);
        Ok(cost)
    }

    /// What one command took, which must succeed.
    pub fn of(command: &mut Command) -> Result<Spent> {
        let mut spent = Spent::default();
        spent.run(command)?;
        Ok(spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up_and_the_largest_process_counts() {
        let mut spent =
            Spent { wall: Duration::from_secs(1), cpu: Duration::from_secs(2), peak_rss: 1 << 40 };
        spent.run(&mut Command::new("true")).unwrap();
        assert!(spent.wall > Duration::from_secs(1) && spent.cpu >= Duration::from_secs(2));
        assert_eq!(spent.peak_rss, 1 << 40);
        assert!(spent.run(&mut Command::new("false")).is_err());
    }
}
