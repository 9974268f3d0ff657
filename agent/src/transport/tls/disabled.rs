//! A build without TLS.

use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::Remote;

const WITHOUT: &str = "https is not supported by this build (feature \"tls\" is off)";

/// Refuses: there is no TLS.
pub fn check() -> Result<()> {
    Err(Error::Refused(WITHOUT.into()))
}

/// Passes plain connections on.
pub fn connector(_remote: &Remote, _clock: &Clock) -> Plain {
    Plain
}

/// Passes plain connections on and refuses the others.
#[derive(Debug)]
pub struct Plain;

impl<In: Transport> Connector<In> for Plain {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        if details.needs_tls() {
            return Err(ureq::Error::Tls(WITHOUT));
        }
        Ok(chained)
    }
}
