//! The variables of a U-Boot environment: `NAME=VALUE` and a NUL each, ended by one more NUL.
//!
//! What comes after the end is padding of either kind. The order is kept; `.flags`, which says what kind of value a
//! variable takes, is a variable like any other and is left alone. Of a name that is there more than once, as
//! mkenvimage leaves it, the last counts. Source: U-Boot 2023.01, libubootenv 0.3.2.

use crate::Result;
use crate::error::Error;

const WHAT: &str = "u-boot environment";

/// Variables in the order of the medium.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars {
    pairs: Vec<(String, Vec<u8>)>,
}

impl Vars {
    /// Reads the data of an environment.
    pub fn decode(data: &[u8]) -> Result<Vars> {
        let mut vars = Vars::default();
        for piece in data.split(|byte| *byte == 0) {
            if piece.is_empty() && !data.is_empty() {
                return Ok(vars);
            }
            let place = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = match place.and_then(|at| piece.split_at_checked(at)) {
                Some((name, value)) => (name, value.strip_prefix(b"=").unwrap_or_default()),
                None => return Err(Error::malformed(WHAT, "NAME=VALUE", String::from_utf8_lossy(piece))),
            };
            let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
            let name = name
                .ok_or_else(|| Error::malformed(WHAT, "a name before =", String::from_utf8_lossy(piece)))?;
            vars.pairs.push((name.to_string(), value.to_vec()));
        }
        Err(Error::malformed(WHAT, "a NUL after the last variable", format!("{} bytes without", data.len())))
    }

    /// The data, filled with zeros to `size` bytes.
    pub fn encode(&self, size: usize) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        for (name, value) in &self.pairs {
            data.extend_from_slice(name.as_bytes());
            data.push(b'=');
            data.extend_from_slice(value);
            data.push(0);
        }
        // an empty list is two NULs in other readers' eyes
        data.extend_from_slice(if self.pairs.is_empty() { &[0, 0] } else { &[0] });
        if data.len() > size {
            return Err(Error::NoRoom { what: WHAT, limit: size, needs: data.len() });
        }
        data.resize(size, 0);
        Ok(data)
    }

    /// A value that is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().rfind(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    /// A value that is a number, as U-Boot reads one: decimal.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    /// Sets a variable where it stands first, or behind all others; it is there once then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Error::malformed(
                WHAT,
                "a name without =, a value without NUL",
                format!("{name}={value}"),
            ));
        }
        let place = self.pairs.iter().position(|(n, _)| n == name);
        self.unset(name);
        self.pairs.insert(place.unwrap_or(self.pairs.len()), (name.to_string(), value.as_bytes().to_vec()));
        Ok(())
    }

    /// Takes a variable out.
    pub fn unset(&mut self, name: &str) {
        self.pairs.retain(|(n, _)| n != name);
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_edits_in_place() {
        let mut vars = Vars::decode(b"a=1\0.flags=a:dw\0b=x=y\0c=\0\0\xff\xff").unwrap();
        assert_eq!((vars.number("a"), vars.get("b"), vars.get("c")), (Some(1), Some("x=y"), Some("")));
        vars.set("a", "2").unwrap();
        vars.set("d", "4").unwrap();
        vars.unset("c");
        assert_eq!(vars.encode(32).unwrap(), b"a=2\0.flags=a:dw\0b=x=y\0d=4\0\0\0\0\0\0\0");
        assert_eq!(Vars::decode(&Vars::default().encode(4).unwrap()).unwrap(), Vars::default());
    }

    #[test]
    fn refuses_other_data() {
        for (data, reason) in [
            (&b""[..], "NAME=VALUE"),
            (b"a=1", "NUL after the last"),
            (b"a\0\0", "NAME=VALUE"),
            (b"=1\0\0", "a name before"),
            (b"\xff=1\0\0", "a name before"),
            (&[0xff; 16], "NAME=VALUE"),
        ] {
            let error = Vars::decode(data).unwrap_err().to_string();
            assert!(error.contains(reason), "{data:?}: {error}");
        }
        assert!(Vars::decode(b"a=1\0").is_ok(), "the area may end with the last variable's NUL");
        let mut vars = Vars::default();
        for (name, value) in [("", ""), ("a=", ""), ("a\0", ""), ("a", "\0")] {
            assert!(vars.set(name, value).is_err());
        }
        vars.set("a", "12345").unwrap();
        assert_eq!(vars.encode(8), Err(Error::NoRoom { what: WHAT, limit: 8, needs: 9 }));
        assert_eq!(vars.encode(9).unwrap().len(), 9);
    }
}
