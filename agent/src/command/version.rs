//! `version`.

use crate::transport;

/// The version, and what this build can do.
pub fn text() -> String {
    let tls = if transport::TLS { "+tls" } else { "-tls" };
    format!("rootling {}\nfeatures: {tls} +ed25519", env!("CARGO_PKG_VERSION"))
}
