//! Targets for rootling-trust. Nothing made by chance passes; only the seed itself does.

use rootling_object::{Checksum, Dict};
use rootling_trust::{Keyring, Policy, PublicKey, SecretKey, sign_commit, verify_commit};

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "key",
        run: key,
        seeds: || vec![secret().to_base64().into_bytes(), format!("{}", secret().public()).into_bytes()],
    },
    Target {
        name: "keyring",
        run: keyring,
        seeds: || vec![format!("# ours\n\n{}\n", secret().public()).into_bytes()],
    },
    Target { name: "signatures", run: signatures, seeds: || vec![signed().encode()] },
];

/// Not a commit: bytes are signed as they are, and read only after that.
const MESSAGE: &[u8] = b"bytes of a commit";

fn secret() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn signed() -> Dict {
    let mut detached = Dict(vec![]);
    sign_commit(MESSAGE, &secret(), &mut detached).expect("signs");
    detached
}

fn key(data: &[u8]) {
    let _ = PublicKey::from_bytes(data);
    let Some(text) = text(data) else { return };
    if let Ok(key) = PublicKey::parse_base64(text) {
        assert_eq!(PublicKey::parse_base64(&key.to_string()).ok(), Some(key));
    }
    if let Ok(key) = SecretKey::parse_base64(text) {
        assert_eq!(
            SecretKey::parse_base64(&key.to_base64()).map(|again| again.public()).ok(),
            Some(key.public())
        );
    }
}

fn keyring(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let mut keyring = Keyring::default();
    if keyring.trust_lines(text).is_ok() && keyring.revoke_lines(text).is_ok() {
        assert_eq!(keyring.usable().count(), 0, "a revoked key is usable");
    }
}

fn signatures(data: &[u8]) {
    let Ok(detached) = Dict::decode("detached metadata", data) else { return };
    let policy = Policy::Keys(Keyring::new([secret().public()]));
    let result = verify_commit(MESSAGE, Checksum::of(MESSAGE), Some(&detached), &policy);
    // the message is no commit, so even the right signature ends in an error, but not in one about signatures
    assert!(result.is_err());
}
