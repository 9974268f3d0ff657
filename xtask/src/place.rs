//! Where things lie: the checkout, cargo's target folder, the programs in it.

use std::path::{Path, PathBuf};

/// The top of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the checkout")
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The test bed, beside the build products.
pub fn testbed() -> PathBuf {
    root().join("target/testbed")
}

/// A program cargo built; `profile` is cargo's folder, such as `debug`.
pub fn program(profile: &str, name: &str) -> PathBuf {
    target().join(profile).join(name)
}
