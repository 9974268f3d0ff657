//! A U-Boot environment on its medium.
//!
//! ```text
//! one copy     u32 crc   data                 the crc is over the data, padding included
//! two copies   u32 crc   u8 flags   data      the crc does not cover the flags
//! ```
//! Numbers are little-endian (the byte order of the machine, and all of ours have this one). With two copies the
//! one in use is the good one; of two good ones that with the higher flags, where 0 comes after 255; of two equal
//! ones the first. On NOR flash flags are 1 for the copy in use and 0 for the other. A change goes into the copy that
//! is not in use. Source: U-Boot 2023.01 `env/common.c`, libubootenv 0.3.2; proved against fw_setenv and mkenvimage.

use super::crc::crc32;
use super::vars::Vars;
use crate::Result;
use crate::cursor::Cursor;
use crate::error::Error;

const WHAT: &str = "u-boot environment";
/// The largest environment that is read: U-Boot's own are 256 KiB at most.
const LIMIT: usize = 1 << 20;
const ACTIVE: u8 = 1;
const OBSOLETE: u8 = 0;

/// How the flags of two copies are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flags {
    /// One more with each change: files, block devices, NAND, UBI.
    Increment,
    /// In use or not: NOR flash.
    Boolean,
}

/// Which copy is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// There is one only.
    Only,
    /// The first of two.
    First,
    /// The second of two.
    Second,
}

/// The environment that U-Boot would use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its variables.
    pub vars: Vars,
    /// Where it was read from.
    pub chosen: Chosen,
    /// Whether the other copy is damaged: the next change makes it good.
    pub other_damaged: bool,
    flags: u8,
    size: usize,
}

impl Environment {
    /// Reads the only copy.
    pub fn decode(copy: &[u8]) -> Result<Environment> {
        let vars = single(copy)?;
        Ok(Environment { vars, chosen: Chosen::Only, other_damaged: false, flags: 0, size: copy.len() })
    }

    /// Reads two copies and chooses as U-Boot does; with both damaged it would use its built-in one, so that is an error.
    pub fn decode_two(first: &[u8], second: &[u8], kind: Flags) -> Result<Environment> {
        if first.len() != second.len() {
            let got = format!("{} and {} bytes", first.len(), second.len());
            return Err(Error::malformed(WHAT, "two copies of one size", got));
        }
        let size = first.len();
        let (chosen, (flags, vars), other_damaged) = match (redundant(first), redundant(second)) {
            (Ok(first), Ok(second)) if second_wins(first.0, second.0, kind) => {
                (Chosen::Second, second, false)
            }
            (Ok(first), Ok(_)) => (Chosen::First, first, false),
            (Ok(first), Err(_)) => (Chosen::First, first, true),
            (Err(_), Ok(second)) => (Chosen::Second, second, true),
            (Err(first), Err(second)) => {
                return Err(Error::malformed(WHAT, "one good copy of two", format!("{first}; {second}")));
            }
        };
        Ok(Environment { vars, chosen, other_damaged, flags, size })
    }

    /// The only copy, or the copy that takes the place of the one in use, with these variables.
    pub fn encode(&self, vars: &Vars, kind: Flags) -> Result<Vec<u8>> {
        let header: usize = if self.chosen == Chosen::Only { 4 } else { 5 };
        let data = vars.encode(self.size.saturating_sub(header))?;
        let mut copy = crc32(&data).to_le_bytes().to_vec();
        match (self.chosen, kind) {
            (Chosen::Only, _) => {}
            (_, Flags::Increment) => copy.push(self.flags.wrapping_add(1)),
            (_, Flags::Boolean) => copy.push(ACTIVE),
        }
        copy.extend(data);
        Ok(copy)
    }
}

/// 0 follows on 255: no other pair is so far apart while each change adds one.
fn second_wins(first: u8, second: u8, kind: Flags) -> bool {
    match (kind, first, second) {
        (Flags::Boolean, OBSOLETE, ACTIVE) => true,
        (Flags::Boolean, ACTIVE, OBSOLETE) => false,
        (_, u8::MAX, 0) => true,
        (_, 0, u8::MAX) => false,
        _ => second > first,
    }
}

fn single(copy: &[u8]) -> Result<Vars> {
    let mut cursor = Cursor::new(WHAT, bounded(copy)?);
    let crc = cursor.u32("4 bytes of checksum")?;
    checked(crc, cursor.rest())
}

fn redundant(copy: &[u8]) -> Result<(u8, Vars)> {
    let mut cursor = Cursor::new(WHAT, bounded(copy)?);
    let (crc, flags) = (cursor.u32("4 bytes of checksum")?, cursor.u8("a byte of flags")?);
    Ok((flags, checked(crc, cursor.rest())?))
}

fn bounded(copy: &[u8]) -> Result<&[u8]> {
    match copy.len() > LIMIT {
        true => Err(Error::NoRoom { what: WHAT, limit: LIMIT, needs: copy.len() }),
        false => Ok(copy),
    }
}

fn checked(crc: u32, data: &[u8]) -> Result<Vars> {
    let actual = crc32(data);
    if actual != crc {
        return Err(Error::malformed(
            WHAT,
            "data of the checksum before it",
            format!("{crc:08x} against {actual:08x}"),
        ));
    }
    Vars::decode(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(value: &str) -> Vars {
        let mut vars = Vars::default();
        vars.set("a", value).unwrap();
        vars
    }

    fn copy(value: &str, flags: u8) -> Vec<u8> {
        let data = vars(value).encode(59).unwrap();
        [&crc32(&data).to_le_bytes()[..], &[flags], &data].concat()
    }

    #[test]
    fn chooses_as_u_boot_does() {
        let damaged = vec![0xff; 64];
        for (first, second, kind, want, other_damaged) in [
            (copy("1", 1), copy("2", 2), Flags::Increment, "2", false),
            (copy("1", 2), copy("2", 1), Flags::Increment, "1", false),
            (copy("1", 255), copy("2", 0), Flags::Increment, "2", false),
            (copy("1", 0), copy("2", 255), Flags::Increment, "1", false),
            (copy("1", 7), copy("2", 7), Flags::Increment, "1", false),
            (copy("1", 7), damaged.clone(), Flags::Increment, "1", true),
            (damaged.clone(), copy("2", 0), Flags::Increment, "2", true),
            (copy("1", 1), copy("2", 0), Flags::Boolean, "1", false),
            (copy("1", 0), copy("2", 1), Flags::Boolean, "2", false),
            (copy("1", 1), copy("2", 1), Flags::Boolean, "1", false),
        ] {
            let env = Environment::decode_two(&first, &second, kind).unwrap();
            assert_eq!((env.vars.get("a"), env.other_damaged), (Some(want), other_damaged));
            // the next change is the one in use from then on
            let next = env.encode(&vars("3"), kind).unwrap();
            let (first, second) = match env.chosen {
                Chosen::First => (first, next),
                _ => (next, second),
            };
            if kind == Flags::Increment {
                assert_eq!(Environment::decode_two(&first, &second, kind).unwrap().vars.get("a"), Some("3"));
            }
        }
    }

    #[test]
    fn refuses_what_u_boot_would_not_use() {
        let good = copy("1", 1);
        let mut wrong = good.clone();
        wrong[20] ^= 1;
        for (first, second, reason) in [
            (&good[..], &good[..63], "one size"),
            (&wrong, &wrong, "one good copy of two"),
            (&[], &[], "one good copy of two"),
            (&[0xff; 64], &wrong, "one good copy of two"),
        ] {
            let error = Environment::decode_two(first, second, Flags::Increment).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Environment::decode(&good).unwrap_err().to_string().contains("checksum"));
        let big = vec![0; LIMIT + 1];
        assert!(matches!(Environment::decode(&big), Err(Error::NoRoom { .. })));
    }
}
