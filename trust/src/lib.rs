//! Who may say what this device runs: ed25519 keys, signatures, and the one type a deployment is made from.
//!
//! ```text
//! base64    the text of keys, strictly
//! key       PublicKey, SecretKey in OSTree's base64 forms; the strict check of one signature
//! keyring   the keys a remote trusts, and those it has revoked
//! verified  Verified<T>: a value, and by what it was verified
//! commit    commit and summary bytes -> Verified<Commit>, Verified<Summary>; signing
//! ```
//!
//! Signatures are over the raw bytes of the commit object or of the summary file, 64 bytes each, kept as
//! `ostree.sign.ed25519` (`aay`) in detached metadata. No I/O and no clock: bytes come in, values go out.
//!
//! **Invariant:** a [`Verified`] value can only be made in this crate, after its checks.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod base64;
mod commit;
mod error;
mod key;
mod keyring;
mod verified;

pub use commit::{MAX_SIGNATURES, sign_commit, sign_summary, verify_commit, verify_summary};
pub use error::{Error, ErrorKind, Result};
pub use key::{PublicKey, SIGNATURE_LEN, SecretKey};
pub use keyring::{Keyring, Policy};
pub use verified::{By, Verified};
