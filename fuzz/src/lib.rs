//! Fuzz targets: one function per decoder, and the seeds each starts from.
//!
//! For every target the invariants are the same. An error is fine; a panic, an endless loop or memory out of
//! proportion to the input is a bug. What a decoder accepts encodes to the same bytes (for formats with one
//! normal form), or to a text that reads as the same value (for formats with several).

mod agent;
mod boot;
mod delta;
#[cfg(feature = "host")]
mod host;
pub mod mutate;
mod object;
mod prepare_root;
mod store;
mod trust;

/// A decoder under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As in `fuzz_targets/`.
    pub name: &'static str,
    /// Decodes, and checks what came out.
    pub run: fn(&[u8]),
    /// Inputs that are accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets of this build.
pub fn targets() -> Vec<Target> {
    let mut all = [
        object::TARGETS,
        boot::TARGETS,
        delta::TARGETS,
        trust::TARGETS,
        store::TARGETS,
        agent::TARGETS,
        prepare_root::TARGETS,
    ]
    .concat();
    #[cfg(feature = "host")]
    all.extend(host::TARGETS);
    all
}

/// Runs one target by name; what libFuzzer calls.
pub fn run(name: &str, data: &[u8]) {
    let target = targets().into_iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no fuzz target {name}")).run)(data);
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
