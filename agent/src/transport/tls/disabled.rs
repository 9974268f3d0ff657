//! A build without TLS.

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::Remote;
use crate::transport::http::wire::Wire;

/// Refuses: there is no TLS.
pub fn check() -> Result<()> {
    Err(Error::refused(format_args!("https is not supported by this build (feature \"tls\" is off)")))
}

/// Refuses to wrap anything.
pub struct Tls;

impl Tls {
    /// Settings mean nothing here.
    pub fn new(_remote: &Remote, _clock: &Clock) -> Tls {
        Tls
    }

    /// Refuses, after a redirect to `https:`.
    pub fn wrap(&self, _wire: Box<dyn Wire>, _host: &str) -> Result<Box<dyn Wire>> {
        check().map(|()| _wire)
    }
}
