//! Text in firmware variables: UTF-16, little-endian, ended by a NUL.

use crate::Result;
use crate::error::Error;

const WHAT: &str = "efi text";

/// Reads text that ends with the data.
pub fn decode(bytes: &[u8]) -> Result<String> {
    match split(bytes)? {
        (text, []) => Ok(text),
        (_, rest) => Err(Error::malformed(WHAT, "nothing after the NUL", format!("{} bytes", rest.len()))),
    }
}

/// Reads text up to its NUL; answers what comes after it.
pub(super) fn split(bytes: &[u8]) -> Result<(String, &[u8])> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let Some(end) = pairs.iter().position(|pair| *pair == [0, 0]) else {
        return Err(Error::malformed(WHAT, "a NUL at the end", format!("{} bytes without", bytes.len())));
    };
    let units = pairs.iter().take(end).map(|pair| u16::from_le_bytes(*pair));
    let text: std::result::Result<String, _> = char::decode_utf16(units).collect();
    let text = text.map_err(|_| Error::malformed(WHAT, "UTF-16", "half a surrogate pair"))?;
    let rest = bytes.get(end.saturating_add(1).saturating_mul(2)..).unwrap_or_default();
    Ok((text, rest))
}

/// Writes text with its NUL.
pub fn encode(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["", "a", "ä€𝄞"] {
            assert_eq!(decode(&encode(text)).as_deref(), Ok(text));
        }
        for (bytes, reason) in [
            (&[][..], "a NUL"),
            (&[b'a', 0], "a NUL"),
            (&[b'a', 0, 0], "a NUL"),
            (&[0, 0, 0], "nothing after"),
            (&[0, 0xd8, 0, 0], "UTF-16"),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
