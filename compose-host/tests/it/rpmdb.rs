//! The rpm database against databases that rpm wrote: the 446 headers of Fedora 44 and CentOS Stream 9 and 10 that the
//! `librpm` crate carries for its own tests.

use rootling_compose::order::order;
use rootling_compose::rpmdb::{RpmdbOptions, blob, encode};
use rootling_compose::rpmfile::{Package, header, tags};
use rusqlite::{Connection, OpenFlags, types::Value};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::rpms::crate_source;

pub const IMAGES: [(&str, usize); 3] =
    [("fedora-44", 147), ("centos-stream-9", 137), ("centos-stream-10", 162)];
const OPTIONS: RpmdbOptions = RpmdbOptions { timestamp: 1_700_000_000, documentation: true };

/// The database of an image in the `librpm` crate's test data. The crate itself cannot be a dependency: it builds
/// against the C library.
fn image(name: &str) -> PathBuf {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| unpacked().unwrap_or_else(fetch)).join(name).join("rpmdb.sqlite")
}

fn unpacked() -> Option<PathBuf> {
    crate_source("librpm-0.6.0").map(|path| path.join("testdata"))
}

fn fetch() -> PathBuf {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("src")).unwrap();
    std::fs::write(scratch.path().join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = 'fetch'\nedition = '2021'\n[dependencies]\nlibrpm = '=0.6.0'\n";
    std::fs::write(scratch.path().join("Cargo.toml"), manifest).unwrap();
    let done = Command::new(env!("CARGO")).args(["fetch", "--quiet"]).current_dir(scratch.path()).status();
    assert!(done.is_ok_and(|status| status.success()), "cargo fetch of the librpm crate");
    unpacked().expect("the librpm crate after cargo fetch")
}

/// An image's database, copied so that nothing is written beside the original.
pub fn open(name: &str, scratch: &Path) -> Connection {
    let copy = scratch.join(format!("{name}.sqlite"));
    std::fs::copy(image(name), &copy).expect("copy the database");
    Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("open the database")
}

pub fn packages(connection: &Connection) -> Vec<(i64, Package)> {
    let mut select = connection.prepare("SELECT hnum, blob FROM Packages ORDER BY hnum").unwrap();
    let rows = select.query_map((), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    let package = |(number, bytes): (i64, Vec<u8>)| {
        let (header, signature) =
            blob::decode(&bytes).unwrap_or_else(|error| panic!("header {number}: {error:#}"));
        (number, Package::new(PathBuf::new(), signature, header).unwrap())
    };
    rows.map(|row| package(row.unwrap())).collect()
}

/// Rows of an index table by package name.
fn rows(
    connection: &Connection,
    table: &str,
    names: &BTreeMap<i64, String>,
) -> BTreeSet<(String, String, i64)> {
    let mut select = connection.prepare(&format!("SELECT key, hnum, idx FROM '{table}'")).unwrap();
    let rows = select
        .query_map((), |row| Ok((row.get::<_, Value>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
    rows.unwrap()
        .map(|row| row.unwrap())
        .map(|(key, number, position)| (names[&number].clone(), format!("{key:?}"), position))
        .collect()
}

#[test]
fn real_headers_match_their_own_digests() {
    let scratch = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for (name, count) in IMAGES {
        let packages = packages(&open(name, scratch.path()));
        assert_eq!(packages.len(), count, "{name}");
        for (_, package) in packages {
            let Some(expected) = package.signature.text(tags::SHA256HEADER) else {
                panic!("{}", package.nevra)
            };
            let got =
                Sha256::new().chain_update(header::MAGIC).chain_update(package.header.bytes()).finalize();
            let got: String = got.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(expected, got, "{}", package.nevra);
            checked += 1;
        }
    }
    assert_eq!(checked, 446);
}

#[test]
fn index_tables_equal_those_rpm_wrote() {
    let scratch = tempfile::tempdir().unwrap();
    for (image, _) in IMAGES {
        let theirs = open(image, scratch.path());
        let (numbers, packages): (Vec<i64>, Vec<Package>) = packages(&theirs).into_iter().unzip();
        let path = scratch.path().join(format!("{image}-ours.sqlite"));
        std::fs::write(&path, encode(&packages, &OPTIONS).unwrap()).unwrap();
        let ours = Connection::open(&path).unwrap();
        // gpg-pubkey may be there more than once
        let name = |number: &i64, package: &Package| {
            (*number, format!("{} {}", package.nevra, package.header.bytes().len()))
        };
        let their_names =
            numbers.iter().zip(&packages).map(|(number, package)| name(number, package)).collect();
        let our_names = (1i64..).zip(&packages).map(|(number, package)| name(&number, package)).collect();
        let mut tables =
            theirs.prepare("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").unwrap();
        let tables =
            tables.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        for (table, sql) in tables.map(|row| row.unwrap()) {
            let mut same = ours.prepare("SELECT sql FROM sqlite_master WHERE name = ?1").unwrap();
            assert_eq!(
                same.query_row([&table], |row| row.get::<_, String>(0)).ok(),
                Some(sql),
                "{image} {table}"
            );
            if table.ends_with("_idx") || table == "Packages" || table == "Installtid" {
                continue;
            }
            let expected: BTreeSet<_> = rows(&theirs, &table, &their_names);
            let got = rows(&ours, &table, &our_names);
            let missing: Vec<_> = expected.difference(&got).take(3).collect();
            let extra: Vec<_> = got.difference(&expected).take(3).collect();
            assert!(
                missing.is_empty() && extra.is_empty(),
                "{image} {table}: missing {missing:?}, extra {extra:?}"
            );
        }
    }
}

#[test]
fn real_rpm_reads_what_we_write() {
    for tool in ["rpm", "rpmdb"] {
        let found = Command::new(tool).arg("--version").output();
        assert!(found.is_ok(), "{tool} is missing: apt-get install rpm");
    }
    let scratch = tempfile::tempdir().unwrap();
    for (image, count) in IMAGES {
        let theirs = open(image, scratch.path());
        let packages: Vec<Package> = packages(&theirs).into_iter().map(|(_, package)| package).collect();
        let dir = scratch.path().join(image);
        std::fs::create_dir(&dir).unwrap();
        let bytes = encode(&packages, &OPTIONS).unwrap();
        assert!(bytes == encode(&packages, &OPTIONS).unwrap(), "{image}: two runs give other bytes");
        std::fs::write(dir.join("rpmdb.sqlite"), bytes).unwrap();
        let reference = scratch.path().join(format!("{image}-theirs"));
        std::fs::create_dir(&reference).unwrap();
        std::fs::copy(scratch.path().join(format!("{image}.sqlite")), reference.join("rpmdb.sqlite"))
            .unwrap();
        let query = [
            "-qa",
            "--qf",
            "%{NEVRA} %{SHA256HEADER} %{SIGMD5} \\n[%{FILENAMES} %{FILEDIGESTS}\\n][%{REQUIRES}\\n]",
        ];
        for arguments in
            [&query[..], &["-qa", "--scripts"], &["-qa", "--triggers"], &["-q", "--whatprovides", "/bin/sh"]]
        {
            let run = |dbpath: &Path| {
                let output =
                    Command::new("rpm").arg("--dbpath").arg(dbpath).args(arguments).output().unwrap();
                assert!(
                    output.status.success(),
                    "{image}: rpm {arguments:?}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                let mut lines: Vec<String> =
                    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            let (ours, theirs) = (run(&dir), run(&reference));
            let differs = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
            assert!(
                differs.is_none() && ours.len() == theirs.len(),
                "{image}: rpm {arguments:?}: {differs:?}"
            );
        }
        let output = Command::new("rpm").args(["-qa", "--dbpath"]).arg(&dir).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), count, "{image}");
        let verify = Command::new("rpmdb").args(["--verifydb", "--dbpath"]).arg(&dir).output().unwrap();
        assert!(verify.status.success(), "{image}: {}", String::from_utf8_lossy(&verify.stderr));
    }
}

#[test]
fn real_packages_have_one_order_however_they_are_listed() {
    let scratch = tempfile::tempdir().unwrap();
    for (image, count) in IMAGES {
        let mut packages: Vec<Package> =
            packages(&open(image, scratch.path())).into_iter().map(|(_, package)| package).collect();
        packages.retain(|package| package.nevra.name != "gpg-pubkey");
        let names = |packages: &[Package]| -> Vec<String> {
            order(packages).unwrap().into_iter().map(|index| packages[index].nevra.to_string()).collect()
        };
        let forward = names(&packages);
        packages.reverse();
        assert_eq!(forward, names(&packages), "{image}");
        let unique: BTreeSet<&String> = forward.iter().collect();
        assert_eq!(unique.len(), packages.len(), "{image}");
        assert!(packages.len() + 3 >= count);
        let at = |name: &str| {
            forward.iter().position(|nevra| nevra.starts_with(&format!("{name}-"))).expect("package")
        };
        for (first, then) in [
            ("setup", "filesystem"),
            ("filesystem", "glibc"),
            ("glibc", "bash"),
            ("bash", "coreutils-single"),
        ] {
            if forward.iter().any(|nevra| nevra.starts_with(&format!("{then}-"))) {
                assert!(at(first) < at(then), "{image}: {first} after {then}");
            }
        }
    }
}
