//! Connections that wait for their next request.
//!
//! No connection is asked whether it is still open: one that is not fails before the first byte of an answer, and the
//! request is then sent again on a fresh one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;

/// Servers close idle connections after a minute or so; ours are given up before.
const LIFE: Duration = Duration::from_secs(50);

/// Idle connections, the longest idle first.
pub struct Pool {
    most: usize,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Pool {
    /// At most so many.
    pub fn new(most: usize) -> Pool {
        Pool { most, idle: Mutex::default() }
    }

    /// A connection for `key`, the last that was used.
    pub fn take(&self, key: &str) -> Option<Connection> {
        let mut idle = self.lock();
        idle.retain(|(_, since)| since.elapsed() < LIFE);
        let at = idle.iter().rposition(|(connection, _)| connection.key == key)?;
        Some(idle.remove(at).0)
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn give(&self, connection: Connection) {
        if !connection.is_empty() {
            return;
        }
        let mut idle = self.lock();
        idle.push((connection, Instant::now()));
        if idle.len() > self.most {
            idle.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::tests::script;
    use super::*;

    #[test]
    fn keeps_the_newest_by_their_key() {
        let pool = Pool::new(2);
        for key in ["a", "b", "b", "c"] {
            let mut connection = script(&[]);
            connection.key = key.into();
            pool.give(connection);
        }
        assert!(pool.take("a").is_none(), "there is room for two");
        assert_eq!(pool.take("b").map(|connection| connection.key).as_deref(), Some("b"));
        assert!(pool.take("b").is_none());
        assert!(pool.take("c").is_some());
    }

    #[test]
    fn bytes_nobody_asked_for_end_a_connection() {
        let pool = Pool::new(2);
        let mut connection = script(&[b"HTTP/1.1 200 before it was asked"]);
        connection.peek().unwrap();
        pool.give(connection);
        assert!(pool.take("k").is_none());
    }
}
