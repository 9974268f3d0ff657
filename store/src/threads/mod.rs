//! Threads of the C library: what this program needs of them, without names, hooks and a handler for full stacks, which
//! come with those of `std`.
//!
//! A full stack ends the program here too: the C library keeps a page below it that nobody may touch.

mod sys;

use std::io;

/// Runs `work` on up to `count` threads of `stack` bytes each, and `own`, which is told how many, on this one; returns when
/// all have ended.
///
/// Answers with the reason where fewer than `count` could start.
///
/// # Panics
///
/// If one of the threads did.
pub fn with(
    count: usize,
    stack: usize,
    work: &(dyn Fn() + Sync),
    own: &mut dyn FnMut(usize),
) -> Option<io::Error> {
    sys::with(count, stack, work, own)
}

/// Starts a thread of `stack` bytes that nobody waits for.
pub fn start(stack: usize, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    sys::start(stack, work)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    const STACK: usize = 128 << 10;

    #[test]
    fn all_have_ended_when_it_returns() {
        let count = AtomicU32::new(0);
        let work = || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            count.fetch_add(1, Ordering::Relaxed);
        };
        let mut started = 0;
        assert!(super::with(5, STACK, &work, &mut |count| started = count).is_none());
        assert_eq!((started, count.load(Ordering::Relaxed)), (5, 5));
    }

    #[test]
    fn a_panic_of_a_thread_or_of_the_own_work_comes_after_the_end_of_all() {
        let count = AtomicU32::new(0);
        for own in [false, true] {
            let result = std::panic::catch_unwind(|| {
                let work = || {
                    count.fetch_add(1, Ordering::Relaxed);
                    assert!(own, "on purpose");
                };
                super::with(2, STACK, &work, &mut |_| assert!(!own, "on purpose"));
            });
            assert!(result.is_err());
        }
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn what_cannot_start_is_said_and_the_own_work_is_done() {
        let mut started = 9;
        assert!(super::with(2, usize::MAX / 2, &|| {}, &mut |count| started = count).is_some());
        assert_eq!(started, 0);
        assert!(super::start(usize::MAX / 2, Box::new(|| {})).is_err());
    }

    #[test]
    fn a_thread_nobody_waits_for_does_its_work() {
        let (tell, told) = mpsc::channel();
        super::start(STACK, Box::new(move || tell.send(7).unwrap_or_default())).unwrap();
        assert_eq!(told.recv(), Ok(7));
    }
}
