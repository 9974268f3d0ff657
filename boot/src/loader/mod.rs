//! The one model behind all boot loaders.
//!
//! ```text
//!            arm(new, tries)              every boot, in the loader             health checks
//! confirmed ---------------> on trial ------------------------------> booted ---------------> confirm -> confirmed
//!      ^                        | tries left: boots the new, one try less                        |
//!      |                        | none left: boots the confirmed one, by itself                  |
//!      +------------------------+----------------------- fall back <-----------------------------+
//! ```
//!
//! | part | says |
//! |---|---|
//! | `detect` | which loader a device has |
//! | `promise` | what a loader can do, and what not: printed by `status`, and asked before `arm` |
//! | `trial` | what is on trial, how many tries are left, and what a boot proved |
//! | `step` | one change of the disk, of a raw device or of a firmware variable |
//!
//! **Invariant:** after any prefix of the steps of any plan, and with the last write torn, the next boot is the
//! old system or the new one; and the new one only with its tries counted, where the loader can count.

mod detect;
mod promise;
mod step;
mod trial;

pub use detect::{Kind, Traces};
pub use promise::{Counting, Promises};
pub use step::{Change, DRAFT, Step};
pub use trial::{
    MAX_TRIES, Outcome, PANIC_S, TRIAL_ARG, Trial, TrialId, outcome, rebooting_entry, remove_trial,
    tried_entry,
};
