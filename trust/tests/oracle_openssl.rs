//! Signatures in both directions against `openssl pkeyutl -rawin` over the bytes of a commit object.
// the crate does no I/O; this test runs a program
#![allow(clippy::disallowed_types)]

use rootling_object::commit::key::SIGNATURES;
use rootling_object::{Checksum, Commit, Dict, Value};
use rootling_trust::{By, Keyring, Policy, PublicKey, SecretKey, sign_commit, verify_commit};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The DER header of an ed25519 public key (RFC 8410), before its 32 bytes.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn openssl(dir: &Path, args: &[&str]) -> bool {
    let run = Command::new("openssl").current_dir(dir).args(args).output();
    run.expect("openssl is needed: apt-get install openssl").status.success()
}

fn commit() -> Vec<u8> {
    let mut metadata = Dict::new();
    metadata.set("version", Value::str("12.15"));
    let (root_tree, root_meta) = (Checksum::of(b"t"), Checksum::of(b"m"));
    let (subject, body) = ("subject".into(), "body\n".into());
    Commit { metadata, parent: Some(Checksum::of(b"p")), subject, body, timestamp: 7, root_tree, root_meta }
        .encode()
}

#[test]
fn openssl_accepts_our_signature_and_only_over_these_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (key, bytes) = (SecretKey::from_seed(&[42; 32]), commit());
    let mut detached = Dict::new();
    sign_commit(&bytes, &key, &mut detached).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put("a.commit", &bytes);
    put("b.commit", &[&bytes[..], b"x"].concat());
    put("sig", detached.byte_arrays(SIGNATURES).unwrap()[0]);
    put("pub.der", &[&SPKI[..], &key.public().to_bytes()].concat());
    let verify = [
        "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "pub.der", "-sigfile", "sig",
        "-in",
    ];
    assert!(openssl(dir.path(), &[&verify[..], &["a.commit"]].concat()));
    assert!(!openssl(dir.path(), &[&verify[..], &["b.commit"]].concat()));
}

#[test]
fn we_accept_a_signature_of_openssl() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = commit();
    fs::write(dir.path().join("commit"), &bytes).unwrap();
    assert!(openssl(dir.path(), &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]));
    assert!(openssl(
        dir.path(),
        &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "pub.der"]
    ));
    assert!(openssl(
        dir.path(),
        &["pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "commit", "-out", "sig"]
    ));
    let der = fs::read(dir.path().join("pub.der")).unwrap();
    let key = PublicKey::from_bytes(der.strip_prefix(&SPKI).unwrap()).unwrap();
    let mut detached = Dict::new();
    detached.set(SIGNATURES, Value::byte_arrays([fs::read(dir.path().join("sig")).unwrap()]));
    let policy = Policy::Keys(Keyring::new([key]));
    let verified = verify_commit(&bytes, Checksum::of(&bytes), Some(&detached), &policy).unwrap();
    assert_eq!(verified.by(), &By::Key(key));
}
