//! `BootOrder`, `BootNext` and `BootCurrent`: numbers of load options, two bytes each, little-endian.

use crate::Result;
use crate::error::Error;
use std::fmt;

/// The number of a load option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u16);

impl Number {
    /// The name of its variable: `Boot` and four hex digits.
    pub fn variable(self) -> String {
        super::global(&format!("Boot{self}"))
    }

    /// Reads the name of a file of efivarfs; `None` if it is not one of a load option.
    pub fn parse(file_name: &str) -> Option<Number> {
        let digits = file_name.strip_suffix(super::GLOBAL)?.strip_suffix('-')?.strip_prefix("Boot")?;
        let hex =
            digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten().map(Number)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// Reads the data of such a variable.
pub fn decode_numbers(data: &[u8]) -> Result<Vec<Number>> {
    match data.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|pair| Number(u16::from_le_bytes(*pair))).collect()),
        _ => Err(Error::malformed("efi boot order", "two bytes each", format!("{} bytes", data.len()))),
    }
}

/// Writes the data of such a variable.
pub fn encode_numbers(numbers: &[Number]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.0.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let data = [1, 0, 0x0a, 0xb0];
        assert_eq!(decode_numbers(&data).unwrap(), [Number(1), Number(0xb00a)]);
        assert_eq!(encode_numbers(&[Number(1), Number(0xb00a)]), data);
        assert!(decode_numbers(&[1]).is_err());
    }

    #[test]
    fn names_variables() {
        assert_eq!(Number(0xb0a).variable(), "Boot0B0A-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        assert_eq!(Number::parse(&Number(0xb0a).variable()), Some(Number(0xb0a)));
        for name in ["BootOrder", "Boot0b0a", "Boot+0B0", "Boot00000", "BootNext", "Boot", "MyBoot0001"] {
            assert_eq!(Number::parse(&super::super::global(name)), None, "{name}");
        }
        assert_eq!(Number::parse("Boot0001-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"), None);
    }
}
