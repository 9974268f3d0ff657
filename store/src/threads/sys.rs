//! `pthread_create` and what it points at.

use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::pthread_t;

/// What all threads of one call share.
struct Shared<'a> {
    work: &'a (dyn Fn() + Sync),
    panicked: AtomicBool,
}

/// Waits for threads when it goes.
struct Team(Vec<pthread_t>);

impl Drop for Team {
    fn drop(&mut self) {
        for thread in &self.0 {
            // SAFETY: it was started joinable, and nobody else joins it.
            unsafe { libc::pthread_join(*thread, ptr::null_mut()) };
        }
    }
}

pub(super) fn with(
    count: usize,
    stack: usize,
    work: &(dyn Fn() + Sync),
    own: &mut dyn FnMut(usize),
) -> Option<io::Error> {
    let shared = Shared { work, panicked: AtomicBool::new(false) };
    let argument = ptr::from_ref(&shared).cast_mut().cast();
    let mut team = Team(Vec::with_capacity(count));
    let mut fault = None;
    while fault.is_none() && team.0.len() < count {
        // SAFETY: `shared` outlives the team, which joins every thread before it is gone, whether `own` panics or not.
        match unsafe { create(stack, work_shared, argument) } {
            Ok(thread) => team.0.push(thread),
            Err(error) => fault = Some(error),
        }
    }
    own(team.0.len());
    drop(team);
    assert!(!shared.panicked.load(Ordering::Relaxed), "a thread panicked");
    fault
}

pub(super) fn start(stack: usize, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let argument = Box::into_raw(Box::new(work));
    // SAFETY: the thread owns what `argument` points at, and if there is none it is taken back.
    unsafe {
        let thread =
            create(stack, work_owned, argument.cast()).inspect_err(|_| drop(Box::from_raw(argument)))?;
        libc::pthread_detach(thread);
    }
    Ok(())
}

extern "C" fn work_shared(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `with` passes a `Shared` that lives until this thread is joined.
    let shared = unsafe { &*argument.cast::<Shared<'_>>() };
    if catch_unwind(AssertUnwindSafe(shared.work)).is_err() {
        shared.panicked.store(true, Ordering::Relaxed);
    }
    ptr::null_mut()
}

extern "C" fn work_owned(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `start` passes a box that is this thread's own.
    let work = unsafe { Box::from_raw(argument.cast::<Box<dyn FnOnce() + Send>>()) };
    let _ = catch_unwind(AssertUnwindSafe(work));
    ptr::null_mut()
}

/// Starts a thread that calls `run` with `argument`.
///
/// # Safety
///
/// `run` may use `argument` for as long as the thread runs.
// SAFETY: passed on to the callers, who have to say why.
unsafe fn create(
    stack: usize,
    run: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> io::Result<pthread_t> {
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: attributes are made before they are used; the thread is there if the call says so.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        let mut errno = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack);
        if errno == 0 {
            errno = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, argument);
        }
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        match errno {
            0 => Ok(thread.assume_init()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}
