//! TLS: rustls with ring and our own root certificates, if the feature `tls` is on.
//!
//! TLS keeps what is fetched private and the server's name honest. It never vouches for a commit:
//! that is the signature's part, checked by the same verifier with and without TLS.

#[cfg(not(feature = "tls"))]
mod disabled;
#[cfg(feature = "tls")]
mod enabled;

#[cfg(not(feature = "tls"))]
pub use disabled::{Tls, check};
#[cfg(feature = "tls")]
pub use enabled::{Tls, check};

/// Whether this build speaks TLS.
pub const ENABLED: bool = cfg!(feature = "tls");
