//! Static programs for every target, by a compiler of Debian's and its own standard library.
//!
//! | needed | why |
//! |---|---|
//! | `rustc-web`, `cargo-web`, `rust-web-src` | a compiler and the source of the same standard library |
//! | `ld.lld` | links for every target, and pads less than GNU ld |
//! | `musl-dev` of the target | [`musl`] unpacks it; for x86_64 it compiles the source, for riscv64, which Debian has none for, zig builds it |
//! | a cross C compiler | ring alone, with the headers of musl |
//!
//! The standard library is built again for each target and each set of flags, so the flags are the same for every
//! program and feature set that lies alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::targets::{Libc, Target};
use super::{elf, musl, small};
use crate::place;
use crate::run::{cargo_at, output, run};

/// Debian's compiler.
pub const COMPILER: &[crate::tools::Tool] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library/std/src/lib.rs", "rust-web-src"),
];

/// What building needs beside Rust and a target's own C compiler.
pub const TOOLS: &[crate::tools::Tool] = &[
    COMPILER[0],
    COMPILER[1],
    COMPILER[2],
    ("ld.lld", "lld"),
    ("ar", "binutils"),
    ("dpkg-deb", "dpkg"),
    ("dpkg-source", "dpkg-dev"),
    ("make", "make"),
];

/// For size, in the order of gain. What each saves on x86_64 without TLS is in README.md.
///
/// - a panic traps at once and says nothing; no tables to unwind by, no file names of panics
/// - SHA-2 in software with its rounds in a loop: processors with SHA instructions do not use it for SHA-256
/// - ed25519 without vector instructions: one signature is verified for each update
/// - functions with the same code become one; no padding between segments, no build ID
const SMALL: &str = "-Zunstable-options -Cpanic=immediate-abort -Cforce-unwind-tables=no -Zlocation-detail=none \
    -Ztrap-unreachable=no --cfg sha2_backend_soft=\"compact\" --cfg curve25519_dalek_backend=\"serial\" \
    -Clink-arg=--icf=all -Clink-arg=-znoseparate-code -Clink-arg=--build-id=none";

/// A static PIE that no loader has to know: `start/sys.rs` does what one would do at its start. rustc knows the kind for some targets only.
///
/// Calls to C are direct, as nothing is bound at run time. Data of C goes by a table all the same (no `direct-access-external-data`): what is
/// weak and missing has to be null, and a distance from the code is not.
const ANYWHERE: &str = "-Crelocation-model=pie -Zplt=yes -Clink-arg=-pie -Clink-arg=--no-dynamic-linker \
    -Clink-arg=-ztext -Clink-arg=--pack-dyn-relocs=relr";

/// One program in one feature set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its package, which is its binary's name too.
    pub package: &'static str,
    /// What is in it; means nothing to a program that has no features.
    pub set: Set,
}

/// Every program in every feature set that ships.
pub const PROGRAMS: &[Program] = &[
    Program { package: "rootling", set: Set::Plain },
    Program { package: "rootling", set: Set::Deltas },
    Program { package: "rootling", set: Set::Tls },
    Program { package: "rootling-prepare-root", set: Set::Plain },
];

impl Program {
    /// Where it lies on a target.
    pub fn lies(self, target: &Target) -> Lies {
        match target.fixed.contains(&self) {
            true => Lies::Fixed,
            false => Lies::Anywhere,
        }
    }

    /// It and its target, for titles and tables.
    pub fn title(self, target: &Target) -> String {
        match self.package {
            "rootling" => format!("rootling for {} {}", target.name, self.set.words()),
            other => format!("{other} for {}", target.name),
        }
    }
}

/// Where the kernel puts a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// At the address that is in its file.
    Fixed,
    /// At another one each time: a static PIE.
    Anywhere,
}

/// What is in a device program beside the boot loaders of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Nothing: the program that the design gives so many bytes without TLS.
    Plain,
    /// Static deltas, which have bytes of their own.
    Deltas,
    /// Static deltas and TLS: all of it.
    Tls,
}

impl Set {
    /// From the smallest to the largest.
    pub const ALL: [Set; 3] = [Set::Plain, Set::Deltas, Set::Tls];

    /// Its key in `size-budget.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Set::Plain => "plain",
            Set::Deltas => "deltas",
            Set::Tls => "tls",
        }
    }

    /// For titles and tables.
    pub fn words(self) -> &'static str {
        match self {
            Set::Plain => "without deltas and TLS",
            Set::Deltas => "without TLS",
            Set::Tls => "with TLS",
        }
    }
}

/// What a program has built in on a target, as features for cargo.
pub fn features(target: &Target, program: Program) -> String {
    let (rules, loaders) = (target.rules, target.loaders);
    match (program.package, program.set) {
        ("rootling", Set::Plain) => loaders.to_owned(),
        ("rootling", Set::Deltas) => format!("{rules},{loaders}"),
        ("rootling", Set::Tls) => format!("tls,{rules},{loaders}"),
        _ => String::new(),
    }
}

/// The file name that a program is kept under, beside those of other sets.
pub fn name(program: Program) -> String {
    match program {
        Program { package: "rootling", set: set @ (Set::Plain | Set::Tls) } => {
            format!("rootling-{}", set.key())
        }
        Program { package, .. } => package.to_owned(),
    }
}

/// Builds a program for a target, with what the table of targets has for it; answers where it is.
pub fn build(target: &Target, program: Program) -> Result<PathBuf> {
    build_with(target, program, &features(target, program), &name(program))
}

/// Builds a program with these features in place of the default ones, and keeps it under a name.
pub fn build_with(target: &Target, program: Program, features: &str, name_kept: &str) -> Result<PathBuf> {
    let args = "rustc -q -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size";
    let args = format!("{args} -p {0} --bin {0}", program.package);
    let lies = program.lies(target);
    let mut command = cargo(target, &args, lies, program.set == Set::Tls)?;
    command.args(["--no-default-features", "--features", features]);
    // what they save in the agent they cost in a program as small as prepare-root
    if program.package == "rootling" {
        command.arg("--").args(small::last(target, program.set == Set::Tls)?);
    }
    run(&mut command)?;
    let kept = keep(&folder(), &builds(target), target, program, name_kept)?;
    elf::judge(&kept, lies)?;
    Ok(kept)
}

/// Copies what was built in a target folder of cargo's to where the next feature set is not built over it.
pub fn keep(folder: &Path, builds: &Path, target: &Target, program: Program, name: &str) -> Result<PathBuf> {
    let built = builds.join(target.triple).join("release").join(program.package);
    let kept = folder.join("out").join(target.name);
    fs::create_dir_all(&kept).with_context(|| format!("create {}", kept.display()))?;
    let kept = kept.join(name);
    fs::copy(&built, &kept).with_context(|| format!("copy {}", built.display()))?;
    Ok(kept)
}

/// Debian's cargo with the flags of a target; `c` where C is compiled too.
pub fn cargo(target: &Target, args: &str, lies: Lies, c: bool) -> Result<Command> {
    let folder = folder();
    let usr = musl::fetch(target, &folder.join("musl"))?;
    let own = own(target, &folder.join("own").join(target.name))?;
    let lib = usr.join("lib").join(target.musl);
    let place = match lies {
        Lies::Fixed => "-Crelocation-model=static",
        Lies::Anywhere => ANYWHERE,
    };
    let flags = format!(
        "-Clinker-flavor=ld.lld -Clink-self-contained=no -Ctarget-feature=+crt-static {place} \
         -Lnative={} -Lnative={} {} -Clink-arg=-lc {} {SMALL}",
        lib.display(),
        own.display(),
        starts(target, lies, &lib, &own),
        target.flags
    );
    let mut command = cargo_at("/usr/bin/cargo".as_ref(), args);
    command.args(["--release", "--locked", "--target", target.triple, "--target-dir"]).arg(builds(target));
    let name = target.triple.replace('-', "_");
    let upper = name.to_ascii_uppercase();
    command
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env(format!("CARGO_TARGET_{upper}_LINKER"), target.linker.0)
        .env(format!("CARGO_TARGET_{upper}_RUSTFLAGS"), flags);
    if c {
        command.env(format!("CC_{name}"), target.cc.0).env(format!("CFLAGS_{name}"), c_flags(target, &usr)?);
    }
    Ok(command)
}

/// What a program starts with, as arguments.
fn starts(target: &Target, lies: Lies, lib: &Path, own: &Path) -> String {
    let object = |path: PathBuf| format!("-Clink-arg={}", path.display());
    let mut args = match target.libc {
        // of a musl that reads packed relocations itself
        Libc::Zig(_) => return object(lib.join("rcrt1.o")),
        _ => Vec::from(["crt1.o", "crti.o", "crtn.o"].map(|name| object(lib.join(name)))),
    };
    if lies == Lies::Anywhere {
        args.extend([object(own.join("start.o")), "-Clink-arg=--entry=start_anywhere".to_owned()]);
    }
    args.join(" ")
}

fn folder() -> PathBuf {
    place::target().join("cross")
}

/// One for each target: cargo holds a lock on it, and the programs of two are built at once.
fn builds(target: &Target) -> PathBuf {
    folder().join("build").join(target.name)
}

/// musl's headers, and the compiler's own, and nothing of the machine's C library.
fn c_flags(target: &Target, usr: &Path) -> Result<String> {
    let own = output(Command::new(target.cc.0).arg("-print-file-name=include"));
    let own = own.with_context(|| format!("install it with: apt-get install {}", target.cc.1))?;
    let headers = usr.join("include").join(target.musl);
    Ok(format!("-nostdinc -isystem {} -isystem {} {}", headers.display(), own.trim(), small::C_FLAG))
}

/// A folder with what is our own of each program: the libunwind.a that std asks for, and where it starts.
fn own(target: &Target, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for (name, source) in [("unwind.o", "unwind.rs"), ("start.o", "start/sys.rs")] {
        let mut rustc = Command::new("/usr/bin/rustc");
        rustc.env("RUSTC_BOOTSTRAP", "1").args(["--edition=2024", "--crate-type=lib", "--emit=obj"]);
        rustc.args(["-Copt-level=z", "-Cpanic=abort", "--target", target.triple, "-o"]);
        output(rustc.arg(folder.join(name)).arg(place::root().join("cross").join(source)))?;
    }
    output(Command::new("ar").arg("rcs").arg(folder.join("libunwind.a")).arg(folder.join("unwind.o")))?;
    Ok(folder.to_owned())
}
