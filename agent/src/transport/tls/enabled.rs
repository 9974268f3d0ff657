//! A build with TLS: wraps a connection when its URL is `https:`.
//!
//! The time a certificate is judged at has a floor, since a board may wake in 1970; and a bad key file is an error with
//! its name, not a panic.

mod certs;
mod provider;

use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::{self, Remote};
use crate::transport::http::wire::{Tcp, Wire, unwrapped};

/// TLS is there.
pub fn check() -> Result<()> {
    Ok(())
}

/// Wraps connections in TLS.
pub struct Tls {
    settings: remote::Tls,
    root: String,
    clock: Clock,
    config: OnceLock<Result<Arc<ClientConfig>>>,
}

impl Tls {
    /// For `remote`; certificates are read when the first `https:` connection is made.
    pub fn new(remote: &Remote, clock: &Clock) -> Tls {
        Tls {
            settings: remote.tls.clone(),
            root: remote.origin.clone(),
            clock: *clock,
            config: OnceLock::new(),
        }
    }

    /// Shakes hands with `host` over a connection that is there.
    pub fn wrap(&self, mut wire: Box<dyn Wire>, host: &str) -> Result<Box<dyn Wire>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::refused(format_args!("expected the name of a host, got {host:?}")))?;
        let mut conn = ClientConnection::new(self.config()?, name).map_err(|error| classify(&error))?;
        while conn.is_handshaking() {
            unwrapped(conn.complete_io(&mut wire).map_err(explain))?;
        }
        Ok(Box::new(Secure(StreamOwned::new(conn, wire))))
    }

    fn config(&self) -> Result<Arc<ClientConfig>> {
        self.config.get_or_init(|| build(&self.settings, &self.root, self.clock).map(Arc::new)).clone()
    }
}

/// A connection inside TLS.
struct Secure(StreamOwned<ClientConnection, Box<dyn Wire>>);

impl Read for Secure {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(explain)
    }
}

impl Write for Secure {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer).map_err(explain)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(explain)
    }
}

impl Wire for Secure {
    fn tcp(&mut self) -> &mut Tcp {
        self.0.sock.tcp()
    }
}

/// Judges certificates at a time that has a floor.
#[derive(Debug)]
struct Floor(Clock);

impl TimeProvider for Floor {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0.now())))
    }
}

fn build(settings: &remote::Tls, root: &str, clock: Clock) -> Result<ClientConfig> {
    let provider = Arc::new(provider::provider());
    let versions = ClientConfig::builder_with_details(provider.clone(), Arc::new(Floor(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::bug(format_args!("tls: {error}")))?;
    let verified = if settings.permissive {
        rootling_store::warn!("tls-permissive: any certificate is accepted");
        versions.dangerous().with_custom_certificate_verifier(Arc::new(certs::AcceptAny(provider.clone())))
    } else {
        // without a builder of verifiers, which reads lists of revoked certificates that nobody gives it
        versions.with_root_certificates(certs::roots(settings.ca_path.as_deref(), root)?)
    };
    match (&settings.client_cert, &settings.client_key) {
        (Some(cert), Some(key)) => {
            verified.with_client_auth_cert(certs::chain(cert)?, certs::key(key)?).map_err(|error| {
                Error::refused(format_args!("{cert} and {key}: expected a certificate and its key: {error}"))
            })
        }
        _ => Ok(verified.with_no_client_auth()),
    }
}

/// Keeps time-outs as they are and turns what rustls found into our classes.
fn explain(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(found) => io::Error::other(classify(found)),
        None => error,
    }
}

fn classify(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(reason) => Error::untrusted(format_args!(
            "expected a certificate that holds here, got one that is refused: {reason}"
        )),
        rustls::Error::AlertReceived(alert) => {
            Error::refused(format_args!("the server refused this client: {alert:?}"))
        }
        other => Error::retry(format_args!("tls: {other}")),
    }
}
