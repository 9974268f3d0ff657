//! What is still to be looked at, shared by the threads of one pull.
//!
//! Depth first: content goes before metadata once much of it waits, so that the queue stays small however large the
//! tree is. It ends when it is empty and nobody works, or at the first error.

use std::sync::{Condvar, Mutex, MutexGuard};

use rootling_object::{Checksum, Names, ObjectKind, ObjectName};

use crate::error::Error;

/// From this many waiting files on, files go first.
const MANY: usize = 2048;

/// One object to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Which kind.
    pub kind: ObjectKind,
    /// Its name.
    pub checksum: Checksum,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    metadata: Vec<Job>,
    content: Vec<Checksum>,
    seen: Names<ObjectName>,
    working: Vec<Checksum>,
    /// Threads that have nothing to do; a wake-up is a system call, so only they are woken.
    idle: usize,
    failed: Option<Error>,
}

impl Queue {
    /// Adds jobs and says how many; metadata that was added before is left out.
    pub fn add(
        &self,
        metadata: impl IntoIterator<Item = Job>,
        content: impl IntoIterator<Item = Checksum>,
    ) -> u64 {
        let mut state = self.lock();
        let before = state.metadata.len() + state.content.len();
        for job in metadata {
            if state.seen.insert(ObjectName::new(job.kind, job.checksum)) {
                state.metadata.push(job);
            }
        }
        state.content.extend(content);
        self.wake(&state);
        (state.metadata.len() + state.content.len() - before) as u64
    }

    /// The next job; `None` when all is done or something failed. Call [`Queue::done`] after each.
    pub fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(job) = state.take() {
                state.working.push(job.checksum);
                return Some(job);
            }
            if state.working.is_empty() {
                self.wake(&state);
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(|broken| broken.into_inner());
            state.idle -= 1;
        }
    }

    /// Notes that a job is finished.
    pub fn done(&self, job: Job) {
        let mut state = self.lock();
        if let Some(index) = state.working.iter().position(|checksum| *checksum == job.checksum) {
            state.working.swap_remove(index);
        }
        // waiting threads need to know only if they could now take the last job, or leave
        if state.working.is_empty() || !state.content.is_empty() {
            self.wake(&state);
        }
    }

    /// Ends the queue; the first error is kept.
    pub fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.failed.get_or_insert(error);
        self.wake(&state);
    }

    /// The error that ended the queue.
    pub fn failed(self) -> Option<Error> {
        self.state.into_inner().unwrap_or_else(|broken| broken.into_inner()).failed
    }

    fn wake(&self, state: &State) {
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

impl State {
    fn take(&mut self) -> Option<Job> {
        if self.content.len() < MANY
            && let Some(job) = self.metadata.pop()
        {
            return Some(job);
        }
        // two files of the same content must not be fetched at the same time
        if let Some(index) = self.content.iter().rposition(|checksum| !self.working.contains(checksum)) {
            let checksum = self.content.swap_remove(index);
            return Some(Job { kind: ObjectKind::File, checksum });
        }
        self.metadata.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(n: u8) -> Checksum {
        Checksum([n; 32])
    }

    fn tree(n: u8) -> Job {
        Job { kind: ObjectKind::DirTree, checksum: sum(n) }
    }

    #[test]
    fn each_dirtree_comes_once_and_files_in_flight_wait() {
        let queue = Queue::default();
        queue.add([tree(1), tree(1)], [sum(7), sum(7)]);
        let first = queue.next().expect("a dirtree");
        assert_eq!(first, tree(1));
        let file = queue.next().expect("a file");
        assert_eq!(file.checksum, sum(7));
        queue.done(first);
        queue.done(file);
        let again = queue.next().expect("the same file, once the first is done");
        assert_eq!(again, file);
        queue.done(again);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn many_files_go_before_more_dirtrees() {
        let queue = Queue::default();
        queue.add([tree(1)], (0..MANY).map(|_| sum(7)));
        assert_eq!(queue.next().expect("a job").kind, ObjectKind::File);
    }

    #[test]
    fn the_first_error_ends_it() {
        let queue = Queue::default();
        queue.add([tree(1), tree(2)], []);
        queue.fail(Error::retry(format_args!("first")));
        queue.fail(Error::retry(format_args!("second")));
        assert_eq!(queue.next(), None);
        assert_eq!(queue.failed(), Some(Error::retry(format_args!("first"))));
    }

    #[test]
    fn a_waiting_thread_gets_what_another_finds() {
        let queue = Queue::default();
        queue.add([tree(1)], []);
        let first = queue.next().expect("a dirtree");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.next());
            queue.add([tree(2)], []);
            queue.done(first);
            assert_eq!(waiting.join().expect("no panic"), Some(tree(2)));
        });
    }
}
