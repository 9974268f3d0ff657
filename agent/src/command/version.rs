//! `version`.

use crate::pull::delta::PROFILE;
use crate::transport;

/// The version, and what this build can do.
pub fn text() -> String {
    let tls = if transport::TLS { "+tls" } else { "-tls" };
    let deltas =
        if PROFILE == 0 { "-static-delta".to_owned() } else { format!("+static-delta (profile {PROFILE})") };
    format!("rootling {}\nfeatures: {tls} +ed25519 {deltas}", env!("CARGO_PKG_VERSION"))
}
