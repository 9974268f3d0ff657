//! Base64 of keys, strictly: RFC 4648 section 4, padded, nothing but the alphabet, and no bits after the last byte.
//!
//! Keys are all that is read here, so it is short and slow; a crate's decoder was about 4 KB of the device program, by its symbols.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes of a text; the error says what was found instead.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let all = text.as_bytes();
    if !all.len().is_multiple_of(4) {
        return Err(format!("{} characters, no multiple of 4", all.len()));
    }
    let digits = all.strip_suffix(b"==").or_else(|| all.strip_suffix(b"=")).unwrap_or(all);
    let mut bytes = Vec::with_capacity(all.len());
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for digit in group {
            let value = (0u32..).zip(ALPHABET).find(|(_, letter)| *letter == digit);
            let (value, _) = value.ok_or_else(|| format!("the byte {digit:#04x}"))?;
            bits = bits.wrapping_shl(6) | value;
        }
        let (empty, unused) = match group.len() {
            4 => (1, 0),
            3 => (2, 2),
            _ => (3, 4),
        };
        let whole = bits.wrapping_shr(unused);
        if whole.wrapping_shl(unused) != bits {
            return Err("bits after the last byte".into());
        }
        bytes.extend(whole.to_be_bytes().into_iter().skip(empty));
    }
    Ok(bytes)
}

/// The text of bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut whole = [0; 4];
        for (to, from) in whole.iter_mut().skip(1).zip(group) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(whole);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let value = usize::try_from(bits.wrapping_shr(shift) & 63).unwrap_or_default();
            let letter = ALPHABET.get(value).filter(|_| place <= group.len());
            text.push(char::from(*letter.unwrap_or(&b'=')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn writes_and_reads_what_the_crate_does() {
        let bytes: Vec<u8> = (0..200u32).map(|n| (n.wrapping_mul(2654435761) >> 24) as u8).collect();
        for length in 0..bytes.len() {
            let text = encode(&bytes[..length]);
            assert_eq!(text, STANDARD.encode(&bytes[..length]));
            assert_eq!(decode(&text).as_deref(), Ok(&bytes[..length]));
        }
    }

    #[test]
    fn refuses_what_the_crate_refuses() {
        let mut texts: Vec<String> = [
            "", "=", "==", "===", "====", "A", "A===", "AA==", "AB==", "AAA=", "AAB=", "AA=A", "AAAA====",
            "AA", "é==",
        ]
        .map(str::to_owned)
        .into();
        for good in ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "AAEC", "AAE=", "AA=="] {
            for at in 0..good.len() {
                for byte in (0u8..128).map(char::from) {
                    texts.push(format!("{}{byte}{}", &good[..at], &good[at + 1..]));
                }
                texts.push(good[..at].to_owned());
            }
        }
        for text in texts {
            assert_eq!(decode(&text).ok(), STANDARD.decode(&text).ok(), "{text:?}");
        }
        for (text, reason) in [
            ("AAAAA", "5 characters, no multiple of 4"),
            ("AA A", "the byte 0x20"),
            ("AB==", "bits after the last byte"),
        ] {
            assert_eq!(decode(text).unwrap_err(), reason);
        }
    }
}
