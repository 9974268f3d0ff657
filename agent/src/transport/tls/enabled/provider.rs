//! ring's cryptography with what a client of HTTPS uses: every suite, group and signature of it, and nothing of QUIC,
//! which each suite of TLS 1.3 refers to and the linker keeps for that.

use std::sync::LazyLock;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{DEFAULT_KX_GROUPS, cipher_suite as ring, default_provider};
use rustls::{SupportedCipherSuite, Tls13CipherSuite};

static AES_256: LazyLock<Tls13CipherSuite> = LazyLock::new(|| no_quic(&ring::TLS13_AES_256_GCM_SHA384));
static AES_128: LazyLock<Tls13CipherSuite> = LazyLock::new(|| no_quic(&ring::TLS13_AES_128_GCM_SHA256));
static CHACHA: LazyLock<Tls13CipherSuite> = LazyLock::new(|| no_quic(&ring::TLS13_CHACHA20_POLY1305_SHA256));

/// What connections are made with.
pub fn provider() -> CryptoProvider {
    let CryptoProvider { signature_verification_algorithms, secure_random, key_provider, .. } =
        default_provider();
    CryptoProvider {
        cipher_suites: suites(),
        kx_groups: DEFAULT_KX_GROUPS.to_vec(),
        signature_verification_algorithms,
        secure_random,
        key_provider,
    }
}

/// In ring's order.
fn suites() -> Vec<SupportedCipherSuite> {
    vec![
        SupportedCipherSuite::Tls13(&AES_256),
        SupportedCipherSuite::Tls13(&AES_128),
        SupportedCipherSuite::Tls13(&CHACHA),
        ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
}

fn no_quic(suite: &SupportedCipherSuite) -> Tls13CipherSuite {
    let SupportedCipherSuite::Tls13(suite) = suite else { unreachable!("a suite of TLS 1.3 by its name") };
    let common = rustls::crypto::CipherSuiteCommon {
        suite: suite.common.suite,
        hash_provider: suite.common.hash_provider,
        confidentiality_limit: suite.common.confidentiality_limit,
    };
    Tls13CipherSuite { common, hkdf_provider: suite.hkdf_provider, aead_alg: suite.aead_alg, quic: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_ring_does_in_its_order() {
        let (ours, rings) = (provider(), default_provider());
        let names = |provider: &CryptoProvider| -> Vec<_> {
            provider.cipher_suites.iter().map(SupportedCipherSuite::suite).collect()
        };
        assert_eq!(names(&ours), names(&rings));
        let groups = |provider: &CryptoProvider| -> Vec<_> {
            provider.kx_groups.iter().map(|group| group.name()).collect()
        };
        assert_eq!(groups(&ours), groups(&rings));
        let algorithms = |p: &CryptoProvider| p.signature_verification_algorithms.supported_schemes();
        assert_eq!(algorithms(&ours), algorithms(&rings));
    }
}
