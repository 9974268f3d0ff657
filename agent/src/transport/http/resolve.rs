//! Addresses of hosts, asked for once a minute, and never waited for without end.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use rootling_store::threads;

/// How long an answer is used.
const LIFE: Duration = Duration::from_secs(60);

/// Bytes of stack of a look-up: the C library has packets of several KiB on it.
const STACK: usize = 256 << 10;

/// The most addresses of one host that are tried.
const MOST: usize = 16;

/// Remembers the last answers.
#[derive(Debug, Default)]
pub struct Addresses {
    known: Mutex<Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    since: Instant,
}

impl Addresses {
    /// All addresses of `host`, within `wait`.
    pub fn of(&self, host: &str, port: u16, wait: Duration) -> Result<Vec<SocketAddr>> {
        self.of_by(host, port, wait, look_up)
    }

    fn of_by(&self, host: &str, port: u16, wait: Duration, look_up: LookUp) -> Result<Vec<SocketAddr>> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if let Some(known) = self.lock().iter().find(|known| known.host == host && known.port == port) {
            return Ok(known.addresses.clone());
        }
        let slot = Arc::new(Slot::default());
        let (name, filled) = (host.to_owned(), slot.clone());
        // the C library cannot be told to hurry; a look-up that is late ends by itself and is not heard
        let started = threads::start(STACK, Box::new(move || filled.fill(look_up(&name, port))));
        started.map_err(|error| {
            Error::retry(format_args!("start a thread for the look-up of {host}: {error}"))
        })?;
        let found = slot.wait(wait).ok_or_else(|| {
            Error::retry(format_args!(
                "expected the address of {host} in time, got none in {} s",
                wait.as_secs()
            ))
        })?;
        let addresses = found.map_err(|error| Error::retry(format_args!("look up {host}: {error}")))?;
        if addresses.is_empty() {
            return Err(Error::retry(format_args!("expected the address of {host}, got none")));
        }
        let known =
            Known { host: host.to_owned(), port, addresses: addresses.clone(), since: Instant::now() };
        self.lock().push(known);
        Ok(addresses)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.since.elapsed() < LIFE);
        known
    }
}

/// What one thread waits for and another brings.
#[derive(Default)]
struct Slot {
    found: Mutex<Option<Found>>,
    filled: Condvar,
}

impl Slot {
    fn fill(&self, found: Found) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        self.filled.notify_one();
    }

    fn wait(&self, wait: Duration) -> Option<Found> {
        let empty = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.filled.wait_timeout_while(empty, wait, |found| found.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

type Found = std::io::Result<Vec<SocketAddr>>;
type LookUp = fn(&str, u16) -> Found;

fn look_up(host: &str, port: u16) -> Found {
    (host, port).to_socket_addrs().map(|found| found.take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn an_address_needs_no_look_up() {
        let never: LookUp = |_, _| unreachable!("an address was looked up");
        let second = Duration::from_secs(1);
        for (host, expected) in [("127.0.0.1", "127.0.0.1:8"), ("[::1]", "[::1]:8")] {
            let found = Addresses::default().of_by(host, 8, second, never);
            assert_eq!(found, Ok(vec![expected.parse().unwrap()]));
        }
    }

    #[test]
    fn a_name_is_looked_up_once() {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let counted: LookUp = |_, port| {
            COUNT.fetch_add(1, Ordering::Relaxed);
            Ok(vec![SocketAddr::from(([127, 0, 0, 9], port))])
        };
        let addresses = Addresses::default();
        for port in [80, 80, 81] {
            let found = addresses.of_by("name.example", port, Duration::from_secs(60), counted).unwrap();
            assert_eq!(found, [SocketAddr::from(([127, 0, 0, 9], port))]);
        }
        assert_eq!(COUNT.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn failures_may_be_tried_again_and_are_not_remembered() {
        let addresses = Addresses::default();
        let cases: [(LookUp, &str); 3] = [
            (|_, _| Ok(vec![]), "got none"),
            (|_, _| Err(std::io::ErrorKind::NotFound.into()), "look up h"),
            (
                |_, _| loop {
                    std::thread::park()
                },
                "in time",
            ),
        ];
        for (look_up, part) in cases {
            let error = addresses.of_by("h", 80, Duration::from_millis(200), look_up).expect_err(part);
            assert!(error.exit() == Exit::Network && error.text().contains(part), "{error}");
        }
    }
}
