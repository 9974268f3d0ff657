//! The same programs by a rustup toolchain and its target, for machines without Debian's compiler: reported, not judged.
//!
//! The target brings the standard library and musl as the Rust project compiled them, for speed and with panics that say why, and
//! rustc brings the linker. So these programs are larger, and nothing of `recipe.rs` that makes them small is in them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use super::recipe::{self, Program, Set};
use super::targets::Target;
use super::{elf, zig};
use crate::place;
use crate::run::{cargo_at, output, run};

/// What building needs beside rustup and a target's own C compiler.
pub const TOOLS: [crate::tools::Tool; 2] = [("ar", "binutils"), ("readelf", "binutils")];

/// How rustup comes to a machine.
const RUSTUP: &str = "https://rustup.rs";

/// For ring's C: no header of the machine's C library, which is not the one that is linked.
const C_FLAGS: &str = "-ffreestanding -DRING_CORE_NOSTDLIBINC=1 -U_FORTIFY_SOURCE -fno-stack-protector";

/// Whose compiler builds a target's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Debian's, as they ship.
    Debian,
    /// A stock rustup target.
    Stock,
}

/// What there is to build a target with.
#[derive(Debug, Clone, Copy)]
pub struct There {
    /// Debian's compiler.
    pub debian: bool,
    /// What its musl comes from.
    pub musl: bool,
    /// The rustup target.
    pub stock: bool,
}

impl There {
    /// Looks for all of it.
    pub fn look(target: &Target, debian: bool) -> There {
        There { debian, musl: !target.needs_zig() || zig::find().is_some(), stock: installed(target).is_ok() }
    }

    /// Which it is; Debian's before a stock target, unless that was asked for. `None` where neither can be had by apt.
    pub fn choose(self, asked: bool) -> Option<By> {
        match self {
            There { stock: true, .. } if asked || !self.debian || !self.musl => Some(By::Stock),
            There { musl: true, .. } if !asked => Some(By::Debian),
            _ => None,
        }
    }
}

/// How to get what may build a target, either way.
pub fn how(target: &Target) -> String {
    let zig = if target.needs_zig() { format!(", and zig: {}", zig::HOW) } else { String::new() };
    format!(
        "expected the target {0} of rustup, which reports sizes: rustup target add {0} (rustup: {RUSTUP}); \
         or Debian's compiler, which is what ships: apt-get install rustc-web cargo-web rust-web-src{zig}",
        target.triple
    )
}

/// An error unless rustup's toolchain has the target.
fn installed(target: &Target) -> Result<()> {
    let list = output(rustup().args(["target", "list", "--installed"]))?;
    ensure!(list.lines().any(|line| line == target.triple), "rustup: no target {}", target.triple);
    Ok(())
}

/// Builds a program for a target; answers where it is.
pub fn build(target: &Target, program: Program) -> Result<PathBuf> {
    let folder = place::target().join("cross-stock");
    let which = |name| Ok::<_, anyhow::Error>(output(rustup().args(["which", name]))?.trim().to_owned());
    let (cargo, rustc) = (which("cargo")?, which("rustc")?);
    let args = format!("build -q --release --locked -p {0} --bin {0} --no-default-features", program.package);
    let mut command = cargo_at(cargo.as_ref(), &args);
    command.args([
        "--features",
        &recipe::features(target, program),
        "--target",
        target.triple,
        "--target-dir",
    ]);
    let name = target.triple.replace('-', "_");
    let upper = name.to_ascii_uppercase();
    command
        .arg(&folder)
        .env("RUSTC", rustc)
        .env_remove("RUSTFLAGS")
        .env(format!("CARGO_TARGET_{upper}_LINKER"), "rust-lld")
        .env(
            format!("CARGO_TARGET_{upper}_RUSTFLAGS"),
            "-Ctarget-feature=+crt-static -Clink-self-contained=yes -Clinker-flavor=ld.lld",
        );
    if program.set == Set::Tls {
        command.env(format!("CC_{name}"), target.cc.0).env(format!("CFLAGS_{name}"), C_FLAGS);
    }
    run(&mut command)?;
    let kept = recipe::keep(&folder, &folder, target, program, &recipe::name(program))?;
    elf::judge_static(&kept)?;
    Ok(kept)
}

fn rustup() -> Command {
    let mut command = Command::new("rustup");
    // a toolchain that the folder asks for holds
    command.current_dir(place::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_compiler_is_taken_unless_it_is_missing_or_not_wanted() {
        let there = |debian, musl, stock| There { debian, musl, stock };
        for (there, asked, by) in [
            (there(true, true, true), false, Some(By::Debian)),
            (there(true, true, true), true, Some(By::Stock)),
            (there(true, true, false), true, None),
            (there(false, true, true), false, Some(By::Stock)),
            (there(true, false, true), false, Some(By::Stock)),
            // apt brings the compiler, and nobody zig
            (there(false, true, false), false, Some(By::Debian)),
            (there(true, false, false), false, None),
        ] {
            assert_eq!(there.choose(asked), by, "{there:?}, asked: {asked}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_how_to_get_it() {
        let how = |name| how(super::super::targets::target(name).unwrap());
        let armv7 = how("armv7");
        for part in ["rustup target add armv7-unknown-linux-musleabihf", "apt-get install rustc-web"] {
            assert!(armv7.contains(part), "{armv7}");
        }
        assert!(!armv7.contains("ziglang") && how("riscv64").contains("ziglang"));
    }
}
