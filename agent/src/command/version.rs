//! `version`.

use crate::pull::delta::PROFILE;
use crate::transport::TLS;

/// The version, and what this build can do. Nothing is put together at run time: that would take more code than all of it.
pub const TEXT: &str = match (TLS, PROFILE) {
    (true, 0) => concat!("rootling ", env!("CARGO_PKG_VERSION"), "\nfeatures: +tls +ed25519 -static-delta"),
    (false, 0) => concat!("rootling ", env!("CARGO_PKG_VERSION"), "\nfeatures: -tls +ed25519 -static-delta"),
    (true, _) => {
        concat!("rootling ", env!("CARGO_PKG_VERSION"), "\nfeatures: +tls +ed25519 +static-delta profile 3")
    }
    (false, _) => {
        concat!("rootling ", env!("CARGO_PKG_VERSION"), "\nfeatures: -tls +ed25519 +static-delta profile 3")
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_deltas_is_the_one_that_is_read() {
        let expected = if PROFILE == 0 {
            "-static-delta".to_owned()
        } else {
            format!("+static-delta profile {PROFILE}")
        };
        assert!(TEXT.ends_with(&expected), "{TEXT}");
    }
}
