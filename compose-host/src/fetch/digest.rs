//! Checksums of files, as repositories state them.

use std::fmt;
use std::io::Read;

use anyhow::{Context, Result, bail};
use sha2::Digest as _;

/// A checksum with its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// `sha256`, `sha384` or `sha512`.
    pub kind: &'static str,
    /// Lower case hex.
    pub hex: String,
}

impl Digest {
    /// Checks kind and hex of a checksum.
    pub fn parse(kind: &str, hex: &str) -> Result<Digest> {
        let (kind, length) = match kind {
            "sha256" => ("sha256", 64),
            "sha384" => ("sha384", 96),
            "sha512" => ("sha512", 128),
            _ => bail!("checksum type {kind:?} is not supported, expected sha256, sha384 or sha512"),
        };
        if hex.len() != length || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            bail!("{kind} checksum: expected {length} lower case hex digits, got {hex:?}");
        }
        Ok(Digest { kind, hex: hex.to_string() })
    }

    /// The checksum in the form of [`Display`](fmt::Display), `sha256:HEX`.
    pub fn parse_prefixed(text: &str) -> Result<Digest> {
        let (kind, hex) =
            text.split_once(':').with_context(|| format!("checksum {text:?}: expected sha256:HEX"))?;
        Digest::parse(kind, hex)
    }

    /// The name under which a file with this checksum is kept.
    pub(super) fn file_name(&self) -> String {
        format!("{}-{}", self.kind, self.hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.hex)
    }
}

/// What a file must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its checksum.
    pub digest: Digest,
    /// Its size, where that is known.
    pub size_bytes: Option<u64>,
}

enum State {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

/// Copies and checks: reads to the end, gives everything to `sink`, and compares with what is expected.
pub(super) fn copy_checked(
    mut input: impl Read,
    mut sink: impl std::io::Write,
    expected: &Expected,
    what: &str,
) -> Result<()> {
    let mut state = match expected.digest.kind {
        "sha256" => State::Sha256(sha2::Sha256::new()),
        "sha384" => State::Sha384(sha2::Sha384::new()),
        _ => State::Sha512(sha2::Sha512::new()),
    };
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0u64;
    loop {
        let n = input.read(&mut buffer).with_context(|| format!("{what}: after {size} bytes"))?;
        if n == 0 {
            break;
        }
        let part = &buffer[..n];
        size += n as u64;
        if let Some(expected) = expected.size_bytes.filter(|&expected| size > expected) {
            bail!("{what}: size: expected {expected} bytes, got more");
        }
        match &mut state {
            State::Sha256(s) => s.update(part),
            State::Sha384(s) => s.update(part),
            State::Sha512(s) => s.update(part),
        }
        sink.write_all(part).with_context(|| format!("{what}: cannot be kept"))?;
    }
    if let Some(expected) = expected.size_bytes.filter(|&expected| size != expected) {
        bail!("{what}: size: expected {expected} bytes, got {size}");
    }
    let hex = match state {
        State::Sha256(s) => hex(&s.finalize()),
        State::Sha384(s) => hex(&s.finalize()),
        State::Sha512(s) => hex(&s.finalize()),
    };
    if hex != expected.digest.hex {
        bail!("{what}: {} checksum: expected {}, got {hex}", expected.digest.kind, expected.digest.hex);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_other_checksums_and_sizes() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::parse("sha256", hex).unwrap();
        for (bytes, size_bytes, expected) in [
            (&b"abc"[..], Some(3), None),
            (b"abc", None, None),
            (b"abd", Some(3), Some("f: sha256 checksum: expected ba78")),
            (b"ab", Some(3), Some("f: size: expected 3 bytes, got 2")),
            (b"abcd", Some(3), Some("f: size: expected 3 bytes, got more")),
        ] {
            let want = Expected { digest: digest.clone(), size_bytes };
            let got = copy_checked(bytes, std::io::sink(), &want, "f").map_err(|e| e.to_string());
            match expected {
                None => got.unwrap(),
                Some(text) => assert!(got.unwrap_err().starts_with(text)),
            }
        }
        for (kind, hex) in [("md5", "00"), ("sha", "00"), ("sha256", "00"), ("sha256", &hex.to_uppercase())] {
            assert!(Digest::parse(kind, hex).is_err(), "{kind}");
        }
    }
}
