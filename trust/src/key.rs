//! Ed25519 keys and the strict check of one signature.
//!
//! Source: RFC 8032. Text forms are OSTree's: a public key is 32 bytes in base64, a secret key 64 bytes, the
//! seed followed by the public key.
//!
//! Beyond RFC 8032 a check refuses what would let two verifiers disagree: a public key or an `R` of small order
//! (a signature that is valid for many messages), an `S` of the group's order or more (a second form of the
//! same signature), and a public key whose coordinate is not reduced (a second form of the same key).

use crate::{Error, Result, base64};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fmt;

/// Bytes in a signature.
pub const SIGNATURE_LEN: usize = 64;

/// A key that checks signatures; never a weak one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key that makes signatures.
pub struct SecretKey(SigningKey);

impl PublicKey {
    /// Reads a key from its 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<PublicKey> {
        let bad = |got: String| Error::bad_key("public key", "32 bytes of an ed25519 key", got);
        let fixed: &[u8; 32] = bytes.try_into().map_err(|_| bad(format!("{} bytes", bytes.len())))?;
        if !is_reduced(fixed) {
            return Err(bad("a coordinate that is not reduced".into()));
        }
        let key = VerifyingKey::from_bytes(fixed).map_err(|_| bad("no point of the curve".into()))?;
        if key.is_weak() {
            return Err(bad("a point of small order".into()));
        }
        Ok(PublicKey(key))
    }

    /// Reads a key from its base64 text, white space around it allowed.
    pub fn parse_base64(text: &str) -> Result<PublicKey> {
        let bytes = base64::decode(text.trim())
            .map_err(|got| Error::bad_key("public key", "base64 of 32 bytes", got))?;
        PublicKey::from_bytes(&bytes)
    }

    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Passes if `signature` is this key's over `message`; the bytes are checked, the caller's trust is not.
    pub(crate) fn check(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Option<()> {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).ok()
    }
}

/// Whether the y coordinate, the low 255 bits, is below 2^255 - 19.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || middle.iter().any(|b| *b != 0xff) || (*high | 0x80) != 0xff
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl SecretKey {
    /// Makes the key that belongs to 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(seed))
    }

    /// Reads a key from its base64 text: seed and public key, which have to belong together.
    pub fn parse_base64(text: &str) -> Result<SecretKey> {
        let bad = |got: String| {
            Error::bad_key("secret key", "base64 of 64 bytes, the seed and its public key", got)
        };
        let bytes = base64::decode(text.trim()).map_err(|_| bad("text that is not base64".into()))?;
        let fixed: &[u8; 64] =
            bytes.as_slice().try_into().map_err(|_| bad(format!("{} bytes", bytes.len())))?;
        let key =
            SigningKey::from_keypair_bytes(fixed).map_err(|_| bad("a public key of another seed".into()))?;
        Ok(SecretKey(key))
    }

    /// The text that [`parse_base64`](Self::parse_base64) reads.
    pub fn to_base64(&self) -> String {
        base64::encode(&self.0.to_keypair_bytes())
    }

    /// The key that checks this one's signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes; the same bytes always give the same signature.
    pub fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The group's order, little endian (RFC 8032, 5.1).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    /// The encodings of the eight points of small order, then those of them that are not reduced or have the
    /// sign of a zero set.
    const SMALL: [&str; 14] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn reason(result: Result<PublicKey>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn signs_as_rfc_8032_says() {
        // RFC 8032, 7.1, TEST 2
        let seed: [u8; 32] =
            hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").try_into().unwrap();
        let key = SecretKey::from_seed(&seed);
        assert_eq!(
            key.public().to_bytes().to_vec(),
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        let signature = key.sign(&[0x72]);
        assert_eq!(
            signature.to_vec(),
            hex(concat!(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ))
        );
        assert_eq!(key.public().check(&[0x72], &signature), Some(()));
        assert_eq!(key.public().check(&[0x73], &signature), None);
    }

    #[test]
    fn reads_the_text_forms_it_writes() {
        let key = SecretKey::from_seed(&[7; 32]);
        let public = key.public();
        assert_eq!(PublicKey::parse_base64(&format!(" {public}\n")), Ok(public));
        assert_eq!(SecretKey::parse_base64(&key.to_base64()).unwrap().public(), public);
        for bad in ["", "AAAA", "not base64!", &key.to_base64()] {
            assert!(PublicKey::parse_base64(bad).is_err(), "{bad}");
        }
        let mut other = [[7; 32], [0; 32]].concat();
        other[32..].copy_from_slice(&SecretKey::from_seed(&[8; 32]).public().to_bytes());
        let error = SecretKey::parse_base64(&base64::encode(&other)).unwrap_err().to_string();
        assert!(error.contains("another seed") && !error.contains(&base64::encode(&other)), "{error}");
        assert!(SecretKey::parse_base64(&public.to_string()).is_err());
        assert!(!format!("{key:?}").contains(&key.to_base64()));
    }

    #[test]
    fn refuses_keys_of_small_order_in_every_form() {
        for text in SMALL {
            let said = reason(PublicKey::from_bytes(&hex(text)));
            assert!(
                ["small order", "not reduced", "no point"].iter().any(|r| said.contains(r)),
                "{text}: {said}"
            );
        }
        for text in &SMALL[..8] {
            assert!(reason(PublicKey::from_bytes(&hex(text))).contains("small order"), "{text}");
        }
    }

    #[test]
    fn refuses_keys_with_a_second_form() {
        // y = 2^255 - 19 + 3 .. + 18 where that is a point: valid once reduced, so two forms of one key
        let mut second_forms = 0;
        for low in 0xedu8..=0xff {
            let mut bytes = [0xff; 32];
            bytes[0] = low;
            bytes[31] = 0x7f;
            second_forms += usize::from(VerifyingKey::from_bytes(&bytes).is_ok());
            assert!(reason(PublicKey::from_bytes(&bytes)).contains("not reduced"), "{low:x}");
        }
        assert!(second_forms > 2, "the library alone would take {second_forms}");
    }

    #[test]
    fn refuses_s_of_the_order_or_more() {
        let key = SecretKey::from_seed(&[7; 32]);
        let mut signature = key.sign(b"message");
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        assert_eq!(key.public().check(b"message", &signature), None);
        signature[63] |= 0xe0;
        assert_eq!(key.public().check(b"message", &signature), None);
    }

    #[test]
    fn refuses_r_of_small_order() {
        // R of small order and S = 0 pass a loose check for a key of small order; here for a real key, all forms
        let key = SecretKey::from_seed(&[7; 32]).public();
        for text in SMALL {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&hex(text));
            assert_eq!(key.check(b"message", &signature), None, "{text}");
        }
    }

    #[test]
    fn refuses_r_of_small_order_where_the_equation_holds() {
        // with the secret scalar a, S = k a solves S B = R + k A for R the neutral element
        use ed25519_dalek::hazmat::ExpandedSecretKey;
        let seed = [7; 32];
        let expanded = ExpandedSecretKey::from(&seed);
        let key = SecretKey::from_seed(&seed).public();
        let r = hex(SMALL[0]);
        let k = challenge(&r, &key.to_bytes(), b"message");
        let s = k * expanded.scalar;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s.to_bytes());
        let loose = ed25519_dalek::Verifier::verify(&key.0, b"message", &Signature::from_bytes(&signature));
        assert!(loose.is_ok(), "the vector is right: a loose check takes it");
        assert_eq!(key.check(b"message", &signature), None);
    }

    fn challenge(r: &[u8], a: &[u8], message: &[u8]) -> curve25519_dalek::Scalar {
        use sha2::{Digest, Sha512};
        let hash: [u8; 64] =
            Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize().into();
        curve25519_dalek::Scalar::from_bytes_mod_order_wide(&hash)
    }
}
