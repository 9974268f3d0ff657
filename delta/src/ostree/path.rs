//! Where libostree's deltas lie in a repo.
//!
//! A checksum becomes 43 digits of base64 with `_` for `/` and without the `=`; the first two are a folder.

use rootling_object::Checksum;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";

/// The 43 digits of a checksum.
pub fn digits(checksum: &Checksum) -> String {
    let mut text = String::with_capacity(43);
    for three in checksum.0.chunks(3) {
        let word = (0..3).fold(0u32, |word, at| word << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for place in 0..=three.len() {
            let shift = [18u32, 12, 6, 0].get(place).copied().unwrap_or(0);
            let digit = usize::try_from(word >> shift & 63).unwrap_or(0);
            text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'_')));
        }
    }
    text
}

/// The checksum of 43 digits.
pub fn from_digits(text: &str) -> Option<Checksum> {
    let mut bytes = Vec::with_capacity(33);
    for four in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        for place in 0..4 {
            let value = match four.get(place) {
                Some(digit) => DIGITS.iter().position(|known| known == digit)?,
                None => 0,
            };
            word = word << 6 | u32::try_from(value).ok()?;
        }
        bytes.extend(word.to_be_bytes().get(1..four.len())?);
    }
    let checksum = Checksum::from_slice(&bytes).ok()?;
    (digits(&checksum) == text).then_some(checksum)
}

/// The folder of a delta, below the repo.
pub fn folder(from: Option<&Checksum>, to: &Checksum) -> String {
    let to = digits(to);
    let whole = from.map_or(to.clone(), |from| format!("{}-{to}", digits(from)));
    let (first, rest) = whole.split_at_checked(2).unwrap_or((&whole, ""));
    format!("deltas/{first}/{rest}")
}

/// The index of the deltas to `to`, below the repo.
pub fn index(to: &Checksum) -> String {
    let digits = digits(to);
    let (first, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    format!("delta-indexes/{first}/{rest}.index")
}

/// How summaries and indexes call a delta: both checksums in hexadecimal, or that of the new commit.
pub fn name(from: Option<&Checksum>, to: &Checksum) -> String {
    from.map_or(to.to_string(), |from| format!("{from}-{to}"))
}

/// The commits of such a name.
pub fn parse_name(name: &str) -> Option<(Option<Checksum>, Checksum)> {
    let hex = |text: &str| Checksum::parse_hex(text).ok();
    match name.split_once('-') {
        Some((from, to)) => Some((Some(hex(from)?), hex(to)?)),
        None => Some((None, hex(name)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_libostree() {
        let from = Checksum([0xff; 32]);
        let to = Checksum(std::array::from_fn(|at| at as u8));
        assert_eq!(digits(&to), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert_eq!(digits(&from), format!("{}8", "_".repeat(42)));
        assert_eq!(index(&to), "delta-indexes/AA/ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8.index");
        assert_eq!(folder(None, &to), "deltas/AA/ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        let both = folder(Some(&from), &to);
        assert!(
            both.starts_with("deltas/__/_")
                && both.ends_with("8-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
        );
        for checksum in [from, to] {
            assert_eq!(from_digits(&digits(&checksum)), Some(checksum));
        }
        for bad in ["", "AA", &"_".repeat(43), &"A".repeat(44), &"/".repeat(43)] {
            assert_eq!(from_digits(bad), None, "{bad}");
        }
        for from in [None, Some(from)] {
            assert_eq!(parse_name(&name(from.as_ref(), &to)), Some((from, to)));
        }
        assert_eq!(parse_name("x-y"), None);
    }
}
