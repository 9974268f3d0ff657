//! The SHA-256 that names an object.

use crate::error::{Error, Result};
use sha2::Digest;
use std::fmt;

/// The SHA-256 of an object's canonical bytes: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads the 64 lower-case hexadecimal digits that refs and paths use.
    pub fn parse_hex(text: &str) -> Result<Checksum> {
        let bad = || Error::malformed("checksum", "hex", "64 lower-case hexadecimal digits", quoted(text));
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return Err(bad()) };
            let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else { return Err(bad()) };
            *byte = (high << 4) | low;
        }
        Ok(Checksum(bytes))
    }

    /// Takes the 32 raw bytes that objects store; any other length is refused.
    pub fn from_slice(bytes: &[u8]) -> Result<Checksum> {
        <[u8; 32]>::try_from(bytes).map(Checksum).map_err(|_| {
            Error::malformed("checksum", "length", "32 bytes", format_args!("{} bytes", bytes.len()))
        })
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}

/// Foreign text for an error: shortened and escaped, so that a page of HTML does not land in a log.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{more}")
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256 over a stream.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// An empty hash.
    pub fn new() -> Hasher {
        Hasher::default()
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of everything added.
    pub fn finish(self) -> Checksum {
        Checksum(self.0.finalize().into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_there_and_back() {
        let empty_dirtree = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(Checksum::of(&[0]).to_string(), empty_dirtree);
        assert_eq!(Checksum::parse_hex(empty_dirtree), Ok(Checksum::of(&[0])));
    }

    #[test]
    fn refuses_what_is_not_64_lower_case_digits() {
        let good = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        for bad in [&good[1..], &good.to_uppercase(), &format!("{good}0"), "", &good.replace('6', "g")] {
            assert!(Checksum::parse_hex(bad).is_err(), "{bad}");
        }
        assert!(Checksum::from_slice(&[0; 31]).is_err());
    }
}
