//! musl of a target that Debian has none for, built by zig.
//!
//! zig keeps what it linked a static PIE with in its cache: `rcrt1.o`, musl's `libc.a`, the parts of it that zig has itself and
//! the functions that compilers call. A linker script of the name `libc.a` brings them together. This musl is younger than Debian's, and
//! reads packed relocations at the start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::output;

/// How zig comes to a machine.
pub const HOW: &str = "pip install ziglang";

/// The program: in the path, or in Python's package.
pub fn find() -> Option<PathBuf> {
    let own = "import ziglang, os; print(os.path.dirname(ziglang.__file__) + '/zig')";
    let inside = || output(Command::new("python3").args(["-c", own])).ok();
    let found = output(Command::new("sh").args(["-c", "command -v zig"])).ok().or_else(inside)?;
    let path = PathBuf::from(found.trim());
    path.is_file().then_some(path)
}

/// Puts the library and its headers below `usr`, as a package of musl would.
pub fn build(name: &str, musl: &str, usr: &Path, work: &Path) -> Result<()> {
    let zig = find().with_context(|| format!("zig, for musl of {name}: install it with: {HOW}"))?;
    let cache = work.join("zig-pie").join(name);
    fs::create_dir_all(&cache).with_context(|| format!("create {}", cache.display()))?;
    fs::write(cache.join("empty.c"), "int main(void) { return 0; }\n")?;
    let mut cc = Command::new(&zig);
    cc.args(["cc", "-target", name, "-static", "-fPIE", "-pie", "-Os", "-o", "empty", "empty.c"])
        .current_dir(&cache);
    output(cc.env("ZIG_GLOBAL_CACHE_DIR", cache.join("all")).env("ZIG_LOCAL_CACHE_DIR", cache.join("own")))?;
    let lib = usr.join("lib").join(musl);
    fs::create_dir_all(&lib).with_context(|| format!("create {}", lib.display()))?;
    for (built, kept) in [
        ("rcrt1.o", "rcrt1.o"),
        ("libc.a", "libmusl.a"),
        ("libzigc.a", "libzigc.a"),
        ("libcompiler_rt.a", "libcompiler_rt.a"),
    ] {
        let list = output(Command::new("find").arg(&cache).args(["-name", built, "-size", "+0"]))?;
        let found = list.lines().next().with_context(|| format!("zig: expected {built}, got none"))?;
        fs::copy(found, lib.join(kept)).with_context(|| format!("copy {found}"))?;
    }
    let headers = zig.parent().unwrap_or(Path::new("/")).join("lib/libc/include");
    let include = usr.join("include").join(musl);
    fs::create_dir_all(&include)?;
    for folder in ["generic-musl", musl, "any-linux-any"] {
        let from = headers.join(folder);
        ensure!(from.is_dir(), "{}: expected zig's headers, got none", from.display());
        output(Command::new("cp").arg("-r").arg(from.join(".")).arg(&include))?;
    }
    // last: with it the folder counts as complete
    fs::write(lib.join("libc.a"), "GROUP ( libmusl.a libzigc.a libcompiler_rt.a )\n").context("libc.a")
}
