//! Certificates and keys from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, Result};

/// Where systems keep their bundle; the first that exists is taken.
const BUNDLES: [&str; 5] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

/// The roots of `ca_path`, or of the system's bundle.
pub fn roots(ca_path: Option<&str>, root: &str) -> Result<RootCertStore> {
    let path = match ca_path {
        Some(path) => path.to_owned(),
        None => bundle(root)?,
    };
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(chain(&path)?);
    log::debug!("{path}: {added} root certificates, {ignored} ignored");
    match added {
        0 => Err(Error::refused(format_args!("{path}: expected root certificates in PEM, got none"))),
        _ => Ok(store),
    }
}

fn bundle(root: &str) -> Result<String> {
    let named = std::env::var("SSL_CERT_FILE").ok();
    let known =
        [root, "/"].into_iter().flat_map(|root| BUNDLES.iter().map(move |path| Path::new(root).join(path)));
    let mut paths = named.map(Into::into).into_iter().chain(known);
    match paths.find(|path| path.is_file()) {
        Some(path) => Ok(path.display().to_string()),
        None => Err(Error::refused(format_args!(
            "expected root certificates, got none: set tls-ca-path for this remote, or install {}",
            BUNDLES[0]
        ))),
    }
}

/// The certificates of a PEM file, in its order.
pub fn chain(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path)?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::refused(format_args!("{path}: expected certificates in PEM, got {error:?}")))
}

/// The first private key of a PEM file.
pub fn key(path: &str) -> Result<PrivateKeyDer<'static>> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| Error::refused(format_args!("{path}: expected a private key in PEM, got {error:?}")))
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::io(path, &error))
}

/// For `tls-permissive`: any certificate, but the handshake must still be signed by its key.
#[derive(Debug)]
pub struct AcceptAny(pub Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
