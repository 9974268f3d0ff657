//! U-Boot's environment as U-Boot reads it, by none of our crates' code.
//!
//! ```text
//! 0   u32  CRC of zlib over the rest, little-endian
//! 4        NAME=VALUE, each with a zero byte behind it; another zero byte ends them
//! ```
//! Source: `include/env_internal.h` and `env/common.c` of U-Boot; one copy, with no byte of flags.

use std::collections::BTreeMap;

/// The variables of an environment of this length in bytes, or what U-Boot would not take.
pub fn vars(env: &[u8], length: usize) -> Result<BTreeMap<String, String>, String> {
    let (crc, data) = env.split_at_checked(4).ok_or_else(|| format!("{} bytes", env.len()))?;
    if env.len() != length || crc != crc32(data).to_le_bytes() {
        return Err(format!("{} bytes of {length}, checksum {crc:x?}", env.len()));
    }
    let text = String::from_utf8_lossy(data);
    let pairs = text.split('\0').take_while(|var| !var.is_empty());
    let pairs = pairs.map(|var| var.split_once('=').unwrap_or((var, "")));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// What a count of boots comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Boots are not counted: `bootcmd`.
    Uncounted,
    /// One of the tries: `bootcmd`.
    Try,
    /// They are used up: `altbootcmd`.
    Spent,
}

/// What U-Boot does at its next boot: it adds one, then compares. An error where it counts and would never fall back.
///
/// Source: `bootcount_inc` and `bootdelay_process` of U-Boot; a limit of zero is none.
pub fn next_boot(vars: &BTreeMap<String, String>) -> Result<Next, String> {
    let number = |name: &str| vars.get(name).map_or(Ok(0), |value| value.parse::<u32>());
    let number = |name: &str| number(name).map_err(|_| format!("{name}={}: no number", vars[name]));
    if number("upgrade_available")? == 0 {
        return Ok(Next::Uncounted);
    }
    let (count, limit) = (number("bootcount")?.saturating_add(1), number("bootlimit")?);
    if limit == 0 || vars.get("altbootcmd").is_none_or(String::is_empty) {
        return Err(format!("it counts, and never falls back: {vars:?}"));
    }
    Ok(if count > limit { Next::Spent } else { Next::Try })
}

/// The CRC of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn an_environment_is_whole_or_none() {
    let data = b"a=1\0b=x=y\0\0left over";
    let env = [&crc32(data).to_le_bytes()[..], data].concat();
    let read = vars(&env, env.len()).unwrap();
    assert_eq!(read, BTreeMap::from([("a", "1"), ("b", "x=y")].map(|(k, v)| (k.to_owned(), v.to_owned()))));
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let mut torn = env.clone();
    torn[5] ^= 1;
    for wrong in [&torn[..], &env[..env.len() - 1], &[0; 3]] {
        assert!(vars(wrong, env.len()).is_err(), "{wrong:?}");
    }
}

#[test]
fn it_adds_one_before_it_compares() {
    let next = |available: &str, count: &str, limit: &str| {
        let vars = [("upgrade_available", available), ("bootcount", count), ("bootlimit", limit)];
        let vars = vars.into_iter().chain([("altbootcmd", "run second")]);
        next_boot(&vars.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    assert_eq!(next("0", "9", "3"), Ok(Next::Uncounted));
    assert_eq!(next("1", "2", "3"), Ok(Next::Try));
    assert_eq!(next("1", "3", "3"), Ok(Next::Spent));
    assert!(next("1", "0", "0").is_err());
    assert!(next("1", "x", "3").is_err());
    assert!(next_boot(&BTreeMap::from([("upgrade_available".into(), "1".into())])).is_err());
}
