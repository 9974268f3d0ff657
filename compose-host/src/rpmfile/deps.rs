//! Dependencies of a header, as far as the transaction order and the rpm database need them.

use super::{Header, tags};

/// Less than.
pub const LESS: u64 = 1 << 1;
/// Greater than.
pub const GREATER: u64 = 1 << 2;
/// Equal.
pub const EQUAL: u64 = 1 << 3;
/// Needed by %pretrans.
pub const PRETRANS: u64 = 1 << 7;
/// Needed at install or removal, kind unknown.
pub const PREREQ: u64 = 1 << 6;
/// Needed by %pre.
pub const SCRIPT_PRE: u64 = 1 << 9;
/// Needed by %post.
pub const SCRIPT_POST: u64 = 1 << 10;
/// Needed by %preun.
pub const SCRIPT_PREUN: u64 = 1 << 11;
/// Needed by %postun.
pub const SCRIPT_POSTUN: u64 = 1 << 12;
/// Needed by %verifyscript.
pub const SCRIPT_VERIFY: u64 = 1 << 13;
/// Needed by %posttrans.
pub const POSTTRANS: u64 = 1 << 5;
/// A feature of rpm itself.
pub const RPMLIB: u64 = 1 << 24;
/// Does not order the two packages.
pub const META: u64 = 1 << 29;

/// One dependency.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Capability; a rich dependency starts with `(`.
    pub name: String,
    /// `RPMSENSE_*` bits.
    pub flags: u64,
    /// `[epoch:]version[-release]`, empty for any.
    pub version: String,
}

/// What a package needs.
pub fn requires(header: &Header) -> Vec<Dependency> {
    read(header, tags::REQUIRENAME, tags::REQUIREFLAGS, tags::REQUIREVERSION)
}

/// After what a package wants to be installed, if it is installed at all (`OrderWithRequires`).
pub fn order_with(header: &Header) -> Vec<Dependency> {
    read(header, tags::ORDERNAME, tags::ORDERFLAGS, tags::ORDERVERSION)
}

/// What a package offers.
pub fn provides(header: &Header) -> Vec<Dependency> {
    read(header, tags::PROVIDENAME, tags::PROVIDEFLAGS, tags::PROVIDEVERSION)
}

fn read(header: &Header, names: u32, flags: u32, versions: u32) -> Vec<Dependency> {
    let flags = header.numbers(flags);
    let versions = header.texts(versions);
    let names = header.texts(names).into_iter().enumerate();
    names
        .map(|(index, name)| Dependency {
            name: name.into_owned(),
            flags: flags.get(index).copied().unwrap_or(0),
            version: versions.get(index).map_or_else(String::new, |version| version.to_string()),
        })
        .collect()
}
