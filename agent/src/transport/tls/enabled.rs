//! A build with TLS: wraps a connection when its URL is `https:`.
//!
//! Our own connector, because the time a certificate is judged at must have a floor (a board may wake in 1970) and
//! because a bad key file must be an error with its name, not a panic.

mod certs;

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::remote::{Remote, Tls};

/// TLS is there.
pub fn check() -> Result<()> {
    Ok(())
}

/// The connector for `remote`; certificates are read when the first `https:` connection is made.
pub fn connector(remote: &Remote, clock: &Clock) -> TlsConnector {
    TlsConnector {
        settings: remote.tls.clone(),
        root: remote.origin.clone(),
        clock: *clock,
        config: OnceLock::new(),
    }
}

/// Wraps connections in TLS.
#[derive(Debug)]
pub struct TlsConnector {
    settings: Tls,
    root: String,
    clock: Clock,
    config: OnceLock<Result<Arc<ClientConfig>>>,
}

impl TlsConnector {
    fn config(&self) -> Result<Arc<ClientConfig>> {
        self.config.get_or_init(|| build(&self.settings, &self.root, self.clock).map(Arc::new)).clone()
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|_| inside(Error::Refused(format!("expected the name of a host, got {host:?}"))))?;
        let config = self.config().map_err(inside)?;
        let mut conn = ClientConnection::new(config, name).map_err(|error| inside(classify(&error)))?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        sock.set_timeout(details.timeout);
        while conn.is_handshaking() {
            conn.complete_io(&mut sock).map_err(|error| ureq::Error::Io(explain(error)))?;
        }
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned::new(conn, sock) })))
    }
}

/// A connection inside TLS.
pub struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream
            .write_all(output)
            .and_then(|()| self.stream.flush())
            .map_err(|error| ureq::Error::Io(explain(error)))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self
            .stream
            .read(self.buffers.input_append_buf())
            .map_err(|error| ureq::Error::Io(explain(error)))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsTransport")
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

fn build(settings: &Tls, root: &str, clock: Clock) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_details(provider.clone(), Arc::new(Floor(clock)))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Bug(format!("tls: {error}")))?;
    let verified = if settings.permissive {
        log::warn!("tls-permissive: any certificate is accepted");
        versions.dangerous().with_custom_certificate_verifier(Arc::new(certs::AcceptAny(provider.clone())))
    } else {
        let roots = Arc::new(certs::roots(settings.ca_path.as_deref(), root)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| Error::Refused(format!("tls: {error}")))?;
        versions.with_webpki_verifier(verifier)
    };
    match (&settings.client_cert, &settings.client_key) {
        (Some(cert), Some(key)) => {
            verified.with_client_auth_cert(certs::chain(cert)?, certs::key(key)?).map_err(|error| {
                Error::Refused(format!("{cert} and {key}: expected a certificate and its key: {error}"))
            })
        }
        _ => Ok(verified.with_no_client_auth()),
    }
}

fn inside(error: Error) -> ureq::Error {
    ureq::Error::Io(io::Error::other(error))
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
        rustls::Error::InvalidCertificate(reason) => Error::Untrusted(format!(
            "expected a certificate that holds here, got one that is refused: {reason}"
        )),
        rustls::Error::AlertReceived(alert) => {
            Error::Refused(format!("the server refused this client: {alert:?}"))
        }
        other => Error::Retry(format!("tls: {other}")),
    }
}
