//! The rpm database of the tree: `usr/share/rpm/rpmdb.sqlite`, where rpm-ostree keeps it.
//!
//! ```text
//! usr/share/rpm/rpmdb.sqlite               Packages(hnum, blob) and 18 index tables (key, hnum, idx)
//! usr/lib/sysimage/rpm -> ../../share/rpm  where rpm itself looks since Fedora 36
//! usr/lib/rpm/macros.d/macros.rootling     %_dbpath, for rpms that look elsewhere
//! ```
//!
//! The database is written in one transaction into memory and serialised, so equal packages give equal bytes: install
//! time and transaction id are the compose's timestamp, there is no journal, and rows are in transaction order.
//! Source: rpm's `lib/backend/sqlite.cc`; compared with databases that rpm wrote in `tests/rpmdb.rs`.

pub mod blob;
mod index;

use crate::root::Root;
use crate::rpmfile::Package;
use anyhow::{Context as _, Result};
use rusqlite::Connection;
use std::path::Path;

const DIRECTORY: &str = "usr/share/rpm";
const SYSIMAGE: &str = "usr/lib/sysimage/rpm";
const MACROS: &str = "usr/lib/rpm/macros.d/macros.rootling";

/// How the packages were installed.
#[derive(Clone, Debug)]
pub struct RpmdbOptions {
    /// Install time of all packages, seconds since 1970.
    pub timestamp: u64,
    /// As for unpacking: without documentation its files are marked as not installed.
    pub documentation: bool,
}

/// Writes the database of `packages`, which are in transaction order, and the links to it.
pub fn write(root: &Path, packages: &[Package], options: &RpmdbOptions) -> Result<()> {
    let tree = Root::open(root)?;
    let bytes = encode(packages, options).context("rpm database")?;
    tree.write(&format!("{DIRECTORY}/rpmdb.sqlite"), &bytes, 0o644)?;
    tree.remove(SYSIMAGE)?;
    tree.symlink("../../share/rpm", SYSIMAGE)?;
    tree.write(MACROS, b"%_dbpath /usr/share/rpm\n", 0o644)
}

/// The bytes of a database file.
pub fn encode(packages: &[Package], options: &RpmdbOptions) -> Result<Vec<u8>> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch("PRAGMA page_size = 4096;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)",
    )?;
    for table in index::TABLES {
        transaction.execute_batch(&table.create())?;
    }
    {
        let mut insert = transaction.prepare("INSERT INTO 'Packages' (hnum, blob) VALUES (?1, ?2)")?;
        for (number, package) in (1i64..).zip(packages) {
            let blob =
                blob::encode(package, options).with_context(|| format!("package {}", package.nevra))?;
            insert.execute((number, &blob))?;
        }
        for table in index::TABLES {
            let mut insert = transaction.prepare(&table.insert())?;
            for (number, package) in (1i64..).zip(packages) {
                for (key, position) in table.rows(package, options) {
                    insert.execute((key, number, position))?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(connection.serialize(rusqlite::MAIN_DB)?.to_vec())
}
