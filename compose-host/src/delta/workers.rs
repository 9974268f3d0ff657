//! All cores for the encoder, and a line that says how far it is.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rootling_delta::make::Workers;

/// How often the line is written anew.
const PACE: Duration = Duration::from_millis(200);

/// Threads with a common counter; the work is the same with any number of them.
#[derive(Debug)]
pub struct Threads {
    /// How many.
    pub count: usize,
    /// What is being made, for the line of progress; `None` for no line.
    pub label: Option<String>,
}

impl Threads {
    /// `count` threads, or one for each core; with a line of progress if somebody looks on.
    pub fn new(count: Option<usize>, label: &str, quiet: bool) -> Threads {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let looked_at = !quiet && std::io::stderr().is_terminal();
        Threads { count: count.unwrap_or(cores).max(1), label: looked_at.then(|| label.to_owned()) }
    }

    fn line(&self, done: usize, count: usize, elapsed: Duration) {
        if let Some(label) = &self.label {
            let left = elapsed.as_secs_f64() / done.max(1) as f64 * (count - done) as f64;
            // a terminal that is gone is no reason to stop
            let _ = write!(std::io::stderr(), "\r\x1b[K{label}: {done} of {count}, {left:.0} s left");
        }
    }
}

impl Workers for Threads {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let start = Instant::now();
        std::thread::scope(|scope| {
            let run = || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    work(at);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            };
            let threads: Vec<_> = (0..self.count.min(count)).map(|_| scope.spawn(run)).collect();
            while self.label.is_some() && threads.iter().any(|thread| !thread.is_finished()) {
                self.line(done.load(Ordering::Relaxed), count, start.elapsed());
                std::thread::sleep(PACE);
            }
        });
        if self.label.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
