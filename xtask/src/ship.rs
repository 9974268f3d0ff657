//! The device program in the profile that ships: static, musl, its own standard library built for size.
//!
//! Debian's `rustc-web` and `rust-web-src` are a compiler and the matching source of its standard library, which the
//! stock toolchain lacks without rustup components. The linker is `ld.lld`; no C compiler takes part, but for ring.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{cargo_at, output, run};
use crate::{place, tools};

/// What building needs beside Rust.
pub const TOOLS: &[tools::Tool] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library/std/src/lib.rs", "rust-web-src"),
    ("ld.lld", "lld"),
    ("/usr/lib/x86_64-linux-musl/libc.a", "musl-dev"),
    ("musl-gcc", "musl-tools"),
    ("ar", "binutils"),
];

const TARGET: &str = "x86_64-unknown-linux-musl";
const MUSL: &str = "/usr/lib/x86_64-linux-musl";

/// std asks for libunwind on musl; with panic=abort it is only asked for backtraces, which stay empty.
const UNWIND: &str = "#![no_std]
macro_rules! stub { ($($name:ident),*) => { $(
    #[unsafe(no_mangle)] pub extern \"C\" fn $name() -> usize { 0 }
)* } }
stub!(_Unwind_Backtrace, _Unwind_GetIP, _Unwind_GetIPInfo, _Unwind_GetCFA, _Unwind_FindEnclosingFunction);
stub!(_Unwind_GetLanguageSpecificData, _Unwind_GetRegionStart, _Unwind_GetTextRelBase, _Unwind_GetDataRelBase);
stub!(_Unwind_SetGR, _Unwind_SetIP, _Unwind_RaiseException, _Unwind_Resume, _Unwind_DeleteException);
";

/// Builds the agent and returns the stripped program.
pub fn build(tls: bool) -> Result<PathBuf> {
    ensure!(cfg!(target_arch = "x86_64"), "the shipping profile is built on x86_64 only, for now");
    // one folder for both, so that the standard library is built once
    let folder = place::target().join("ship");
    let stub = unwind_stub()?;
    let flags = [
        "-Clinker-flavor=ld.lld -Clink-self-contained=no -Ctarget-feature=+crt-static -Crelocation-model=static",
        &format!("-Lnative={MUSL} -Lnative={}", stub.display()),
        &format!("-Clink-arg={MUSL}/crt1.o -Clink-arg={MUSL}/crti.o -Clink-arg={MUSL}/crtn.o -Clink-arg=-lc"),
        // a panic traps without a message: its texts and places would be a fifth of the program
        "-Cforce-unwind-tables=no -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none",
    ];
    let args = "build -q --release -p rootling --locked -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size";
    let mut command = cargo_at("/usr/bin/cargo".as_ref(), args);
    command.args(["--target", TARGET, "--target-dir"]).arg(&folder);
    if !tls {
        command.arg("--no-default-features");
    }
    command
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("CC_x86_64_unknown_linux_musl", "musl-gcc")
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER", "ld.lld")
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", flags.join(" "));
    run(&mut command)?;
    let program = folder.join(if tls { "rootling" } else { "rootling-no-tls" });
    let built = folder.join(TARGET).join("release/rootling");
    fs::copy(&built, &program).with_context(|| format!("copy {}", built.display()))?;
    Ok(program)
}

/// A folder with an empty libunwind.a.
fn unwind_stub() -> Result<PathBuf> {
    let folder = place::target().join("ship/unwind");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let (source, object) = (folder.join("unwind.rs"), folder.join("unwind.o"));
    fs::write(&source, UNWIND)?;
    let mut rustc = Command::new("/usr/bin/rustc");
    // the object format is the same for glibc's target, whose core library is there
    rustc.args(["--edition=2024", "--crate-type=lib", "--emit=obj", "-O", "-Cpanic=abort", "-o"]);
    output(rustc.arg(&object).arg(&source))?;
    output(Command::new("ar").arg("rcs").arg(folder.join("libunwind.a")).arg(&object))?;
    Ok(folder)
}
