//! What makes a program small in its last compilation, which is that of all crates as one, and in the link.
//!
//! ring comes small by BoringSSL's `OPENSSL_SMALL`, which it sets itself for processors of 32 bits. It leaves out 176 KB of
//! multiples of base points, and P-256 in assembler. ring's Rust names functions that are then missing; each has a smaller
//! twin with the same arguments and result, and the linker is told so. A version of ring that names more does not link.

use anyhow::{Context, Result};

use super::targets::Target;
use crate::place;

/// - functions that differ in constants alone become one with parameters
/// - what is passed by reference stays so: to load it is longer at each of a thousand calls
/// - nothing is computed before the loop or the branch that needs it, where it takes a register that others have to leave
/// - registers are spilled where it is short, not where it is fast
const LAST: &[&str] = &[
    "-Cllvm-args=-enable-global-merge-func",
    "-Cllvm-args=-opt-disable=argpromotion,licm",
    "-Cllvm-args=-disable-machine-licm",
    "-Cllvm-args=-disable-lsr",
    "-Cllvm-args=-disable-constant-hoisting",
    "-Cllvm-args=-enable-pre=false",
    "-Cllvm-args=-split-spill-mode=size",
];

/// Where a copy of 32 bytes by vector registers is longer than a call, and an entry of a jump table has 8 bytes.
///
/// - what is larger than one register is copied by `memcpy`, and is not cut up lest a load waits for the store before it
/// - a `match` becomes comparisons, neither a table of addresses nor one of values
/// - blocks stay in the order of the source, which needs fewer jumps
const X86_64: &[&str] = &[
    "-Cllvm-args=-max-store-memcpy=1",
    "-Cllvm-args=-x86-disable-avoid-SFB",
    "-Cllvm-args=-min-jump-table-entries=40",
    "-Cllvm-args=-switch-to-lookup=false",
    "-Cllvm-args=-disable-block-placement",
];

/// Repeated instructions become functions, where the programs that come out are known to run.
///
/// On Thumb-2 the program of armv7 ended with a segmentation fault; i686 gets calls of 64 bits; others are not tried.
const OUTLINE: &[&str] =
    &["-Cllvm-args=-enable-machine-outliner=always", "-Cllvm-args=-machine-outliner-reruns=2"];

/// For the C compiler.
pub const C_FLAG: &str = "-DOPENSSL_SMALL";

/// Arguments for rustc after those of cargo; `ring` where it is linked.
pub fn last(target: &Target, ring: bool) -> Result<Vec<String>> {
    let outline: &[&str] = if matches!(target.name, "x86_64" | "aarch64") { OUTLINE } else { &[] };
    let own: &[&str] = if target.name == "x86_64" { X86_64 } else { &[] };
    let mut args: Vec<String> = LAST.iter().chain(outline).chain(own).map(|arg| (*arg).to_owned()).collect();
    if ring {
        let path = place::root().join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let version =
            ring_version(&lock).with_context(|| format!("{}: no version of ring", path.display()))?;
        args.extend(twins(target.name, version));
    }
    Ok(args)
}

/// What is missing, and what takes its place.
fn twins(target: &str, version: &str) -> Vec<String> {
    let pairs: &[(&str, &str)] = match target {
        "x86_64" => &[
            ("p256_point_mul_base_vartime", "p256_point_mul_base"),
            ("x25519_scalar_mult_adx", "x25519_scalar_mult_generic_masked"),
        ],
        "aarch64" => &[("p256_point_mul_base_vartime", "p256_point_mul_base")],
        _ => &[],
    };
    let prefix = format!("ring_core_{}__", version.replace('.', "_"));
    pairs.iter().map(|(name, twin)| format!("-Clink-arg=--defsym={prefix}{name}={prefix}{twin}")).collect()
}

fn ring_version(lock: &str) -> Option<&str> {
    let (_, package) = lock.split_once("name = \"ring\"\n")?;
    package.lines().next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_those_of_the_ring_that_is_locked() {
        let lock = "[[package]]\nname = \"string\"\nversion = \"1.0.0\"\n[[package]]\nname = \"ring\"\nversion = \"0.17.14\"\n";
        assert_eq!(ring_version(lock), Some("0.17.14"));
        assert_eq!(ring_version("name = \"string\"\nversion = \"1.0.0\"\n"), None);
        let name = "ring_core_0_17_14__p256_point_mul_base";
        assert_eq!(twins("aarch64", "0.17.14"), [format!("-Clink-arg=--defsym={name}_vartime={name}")]);
        assert!(twins("armv7", "0.17.14").is_empty());
    }
}
