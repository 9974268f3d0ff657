//! One thread finds work and several do it; the first error stops them all.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::threads;

/// Bytes: enough for inflate and a path, with a margin of two.
const STACK: usize = 256 << 10;

/// Items that wait for a thread; bounds the memory, not the work.
const QUEUE: usize = 16;

/// Takes what was found; `false` when nothing more is wanted.
pub(crate) type HandOut<'a, T> = &'a mut dyn FnMut(T) -> bool;

/// Calls `work` on `count` threads, on this one if none can start, with all that `find`, on this one, hands out.
pub(crate) fn share<T: Send>(
    count: usize,
    find: &mut dyn FnMut(HandOut<'_, T>) -> Result<()>,
    work: &(dyn Fn(T) -> Result<()> + Sync),
) -> Result<()> {
    let queue = Queue {
        state: Mutex::new(State { waiting: VecDeque::new(), open: true, fault: None }),
        changed: Condvar::new(),
    };
    let mut found = Ok(());
    threads::with(count.max(1), STACK, &|| queue.work_off(work), &mut |started| {
        found = match started {
            0 => find(&mut |item| work(item).map_err(|error| queue.fail(Some(error))).is_ok()),
            _ => find(&mut |item| queue.give(item)),
        };
        queue.close();
    });
    // the threads' error first: `find` may only have stopped because of it
    match queue.lock().fault.take() {
        Some(fault) => Err(fault),
        None => found,
    }
}

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    open: bool,
    fault: Option<Error>,
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, item: T) -> bool {
        let mut state = self.lock();
        while state.open && state.waiting.len() >= QUEUE {
            state = self.wait(state);
        }
        if state.open {
            state.waiting.push_back(item);
            self.changed.notify_all();
        }
        state.open
    }

    fn take(&self) -> Option<T> {
        let mut state = self.lock();
        while state.open && state.waiting.is_empty() {
            state = self.wait(state);
        }
        self.changed.notify_all();
        state.waiting.pop_front()
    }

    fn close(&self) {
        self.lock().open = false;
        self.changed.notify_all();
    }

    fn fail(&self, fault: Option<Error>) {
        let mut state = self.lock();
        state.waiting.clear();
        if state.fault.is_none() {
            state.fault = fault;
        }
        drop(state);
        self.close();
    }

    fn work_off(&self, work: &(dyn Fn(T) -> Result<()> + Sync)) {
        let _bail = Bail(self);
        while let Some(item) = self.take() {
            if let Err(error) = work(item) {
                return self.fail(Some(error));
            }
        }
    }
}

/// A thread that panics must not leave the others waiting.
struct Bail<'a, T>(&'a Queue<T>);

impl<T> Drop for Bail<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    #[test]
    fn everything_is_done_once() {
        for threads in [0, 1, 3] {
            let sum = AtomicU64::new(0);
            let work = |item: u64| {
                sum.fetch_add(item, Ordering::Relaxed);
                Ok(())
            };
            share(
                threads,
                &mut |give| {
                    (1..=1000).for_each(|item| assert!(give(item)));
                    Ok(())
                },
                &work,
            )
            .unwrap();
            assert_eq!(sum.into_inner(), 500_500, "{threads} threads");
        }
    }

    #[test]
    fn the_first_error_stops_all_and_hides_that_of_the_finder() {
        let fail = |item: u64| if item == 5 { Err(Error::refused("five")) } else { Ok(()) };
        let mut endless = |give: &mut dyn FnMut(u64) -> bool| {
            let mut item = 0;
            while give(item) {
                item += 1;
            }
            Err(Error::refused("stopped"))
        };
        let error = share(2, &mut endless, &fail).expect_err("five is refused");
        assert_eq!(error.to_string(), "refused: five");
        let error =
            share(2, &mut |_| Err(Error::refused("nothing found")), &fail).expect_err("the finder's own");
        assert_eq!(error.to_string(), "refused: nothing found");
    }

    #[test]
    fn a_panic_ends_the_finder_too() {
        let result = std::panic::catch_unwind(|| {
            let mut endless = |give: &mut dyn FnMut(u64) -> bool| {
                while give(1) {}
                Ok(())
            };
            share(2, &mut endless, &|_| panic!("on purpose"))
        });
        assert!(result.is_err());
    }
}
