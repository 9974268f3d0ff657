//! Small RPMs for tests, and what is in a tree.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rootling_compose::rpmfile::Package;
use rootling_compose::unpack::{PackageFile, UnpackOptions, Unpacked, unpack_all};
use rpm::{BuildConfig, CompressionWithLevel, FileOptions, PackageBuilder};
use sha2::{Digest as _, Sha256};

pub const OPTIONS: UnpackOptions = UnpackOptions { documentation: true, ignore_devices: false };

/// A builder with fixed dates and an uncompressed payload, so that tests can reach into it.
pub fn builder(name: &str) -> PackageBuilder {
    compressed(name, CompressionWithLevel::None)
}

/// A builder with another compression.
pub fn compressed(name: &str, compression: CompressionWithLevel) -> PackageBuilder {
    let mut builder = PackageBuilder::new(name, "1.0", "MIT", "noarch", "for a test");
    builder
        .release("1")
        .using_config(BuildConfig::v4().source_date(1_600_000_000u32).compression(compression));
    builder
}

/// Builds and writes a package.
pub fn write(dir: &Path, builder: &mut PackageBuilder) -> PackageFile {
    let package = builder.build().expect("build");
    let path = dir.join(format!("{}.rpm", package.metadata.get_name().unwrap()));
    package.write_file(&path).expect("write");
    file(path)
}

/// A package with one file.
pub fn with_file(dir: &Path, name: &str, path: &str, content: &str) -> PackageFile {
    write(dir, builder(name).with_file_contents(content, FileOptions::new(path)).unwrap())
}

/// A package file as the lock file would name it, but for its digest.
pub fn file(path: PathBuf) -> PackageFile {
    let nevra = Package::open(&path).expect("open").nevra.to_string();
    PackageFile { path, nevra, digest: None }
}

pub fn unpack(root: &Path, files: &[PackageFile]) -> anyhow::Result<Unpacked> {
    std::fs::create_dir_all(root)?;
    unpack_all(root, files, &OPTIONS)
}

/// The whole error of unpacking, on one line.
pub fn refusal(files: &[PackageFile]) -> String {
    let root = tempfile::tempdir().unwrap();
    match unpack(root.path(), files) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

/// Makes both digests of a changed RPM right again, as one who lies on purpose would.
pub fn reseal(mut bytes: Vec<u8>, original: &[u8]) -> Vec<u8> {
    let metadata = rpm::PackageMetadata::parse(&mut &original[..]).unwrap();
    let offsets = metadata.get_package_segment_offsets();
    let (header, payload) = (offsets.header as usize, offsets.payload as usize);
    let hex =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let old = hex(&original[payload..]);
    let new = hex(&bytes[payload..]);
    replace(&mut bytes[..payload], old.as_bytes(), new.as_bytes());
    let old = hex(&original[header..payload]);
    let new = hex(&bytes[header..payload]);
    replace(&mut bytes[..header], old.as_bytes(), new.as_bytes());
    bytes
}

/// Replaces every occurrence by something as long; returns how many there were.
pub fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    for at in &places {
        bytes[*at..*at + to.len()].copy_from_slice(to);
    }
    places.len()
}

/// Every path of a tree with type, mode, owner, content or target, and capabilities; `skip` names prefixes to leave out.
pub fn listing(root: &Path, skip: &[&str]) -> BTreeMap<String, String> {
    let mut list = BTreeMap::new();
    let mut queue = vec![root.to_owned()];
    let mut inodes: BTreeMap<u64, String> = BTreeMap::new();
    while let Some(dir) = queue.pop() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if skip.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let stat = std::fs::symlink_metadata(&path).unwrap();
            let what = if stat.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if stat.is_file() {
                let digest = Sha256::digest(std::fs::read(&path).unwrap());
                let mut caps = [0u8; 64];
                let length = rustix::fs::lgetxattr(&path, "security.capability", &mut caps).unwrap_or(0);
                let same = inodes.entry(stat.ino()).or_insert_with(|| name.clone());
                let link = if *same == name { String::new() } else { format!(" = {same}") };
                format!("{:02x?} {:02x?}{link}", &digest[..8], &caps[..length])
            } else {
                queue.push(path.clone());
                String::new()
            };
            list.insert(name, format!("{:06o} {}:{} {what}", stat.mode(), stat.uid(), stat.gid()));
        }
    }
    list
}

/// Where cargo has unpacked a crate, for its test data.
pub fn crate_source(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
    registries.filter_map(|entry| Some(entry.ok()?.path().join(name))).find(|path| path.is_dir())
}
