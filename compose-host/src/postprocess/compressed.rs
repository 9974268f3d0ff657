//! Files that are compressed on their own: an update that changes one downloads it whole, since no delta sees through it.
//!
//! | kind | what | stored plain by |
//! |---|---|---|
//! | documentation | `usr/share/{doc,info,man}`: gz, bz2, xz, zst | `uncompress: [documentation]` |
//! | modules | `usr/lib/modules`: `.ko.gz`, `.ko.xz`, `.ko.zst` | `uncompress: [modules]` |
//! | kernel | the only one, where its image unpacks itself or is a gz | - |
//!
//! Links beside them follow. What is not stored plain is a warning with its size, as it is what each update may cost.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::FileType;

use super::{Options, Outcome};
use crate::root::Root;

/// What `uncompress` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Manual pages, and what packages put beside them.
    Documentation,
    /// Kernel modules.
    Modules,
}

/// No length that a compressed file claims is believed.
const MAX_PLAIN: u64 = 1 << 28;
/// Files that a warning names.
const NAMED: usize = 3;
const SUFFIXES: [&str; 4] = [".gz", ".bz2", ".xz", ".zst"];

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 2] = [Kind::Documentation, Kind::Modules];

    /// The word of the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Documentation => "documentation",
            Kind::Modules => "modules",
        }
    }

    /// Reads the word of the manifest.
    pub fn named(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text)
    }

    fn folders(self) -> &'static [&'static str] {
        match self {
            Kind::Documentation => &["usr/share/doc", "usr/share/info", "usr/share/man"],
            Kind::Modules => &["usr/lib/modules"],
        }
    }

    /// The path without the compression's suffix, where it is one of these.
    fn plain(self, path: &str) -> Option<&str> {
        let plain = SUFFIXES.iter().find_map(|suffix| path.strip_suffix(suffix))?;
        (self != Kind::Modules || plain.ends_with(".ko")).then_some(plain)
    }
}

/// Stores plain what the manifest asks for, and says what the rest costs.
pub fn apply(tree: &Root, options: &Options, outcome: &mut Outcome) -> Result<()> {
    for kind in Kind::ALL {
        let mut found = Vec::new();
        for folder in kind.folders() {
            walk(tree, folder, kind, &mut found)?;
        }
        if options.uncompress.contains(&kind) {
            for (path, _) in &found {
                uncompress(tree, kind, path)?;
            }
            if kind == Kind::Modules && !found.is_empty() {
                rename_in_lists(tree)?;
            }
        } else if !found.is_empty() {
            found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            outcome.warnings.push(cost(kind, &found));
        }
    }
    if let Some((path, size)) = kernel(tree)? {
        outcome
            .warnings
            .push(format!("/{path}: compressed, an update that changes it downloads {size} bytes"));
    }
    Ok(())
}

fn cost(kind: Kind, found: &[(String, u64)]) -> String {
    let total: u64 = found.iter().map(|(_, size)| size).sum();
    let largest: Vec<String> =
        found.iter().take(NAMED).map(|(path, size)| format!("/{path} {size}")).collect();
    format!(
        "{name}: {count} compressed files, {total} bytes; an update downloads each that changes whole \
         (`uncompress: [{name}]` stores them plain); the largest: {largest}",
        name = kind.name(),
        count = found.iter().filter(|(_, size)| *size > 0).count(),
        largest = largest.join(", ")
    )
}

/// Compressed files and their sizes, and links to such, of size 0.
fn walk(tree: &Root, folder: &str, kind: Kind, found: &mut Vec<(String, u64)>) -> Result<()> {
    for (name, file) in tree.list(folder)? {
        let path = format!("{folder}/{name}");
        match file {
            FileType::Directory => walk(tree, &path, kind, found)?,
            FileType::RegularFile if kind.plain(&path).is_some() => {
                let stat = tree.place(&path)?.context("it was listed")?.stat()?.context("it was listed")?;
                found.push((path, u64::try_from(stat.st_size).unwrap_or_default()));
            }
            FileType::Symlink if kind.plain(&path).is_some() => {
                let target = tree.link_target(&path)?.unwrap_or_default();
                if kind.plain(&target).is_some() {
                    found.push((path, 0));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Puts the plain file, or a link to it, in the place of a compressed one.
fn uncompress(tree: &Root, kind: Kind, path: &str) -> Result<()> {
    let to = kind.plain(path).context("it was found by its suffix")?;
    ensure!(!tree.exists(to)?, "{path}: cannot be stored plain: {to} is there too");
    match tree.link_target(path)? {
        Some(target) => {
            let target = kind.plain(&target).context("it was found by its target")?;
            tree.symlink(target, to)?;
        }
        None => {
            let stat = tree.place(path)?.context("it was listed")?.stat()?.context("it was listed")?;
            let bytes = tree.read(path)?.context("it was listed")?;
            let plain = plain(&bytes).with_context(|| path.to_owned())?;
            tree.write(to, &plain, stat.st_mode & 0o7777)?;
        }
    }
    tree.remove(path).map(drop)
}

/// Has `modules.dep` name the files as they are called now; its binary twin goes, and kmod reads the text.
fn rename_in_lists(tree: &Root) -> Result<()> {
    for (version, _) in tree.list("usr/lib/modules")? {
        let path = format!("usr/lib/modules/{version}/modules.dep");
        let Some(text) = tree.read_text(&path)? else { continue };
        let word = |word: &str| {
            let (name, colon) = word.strip_suffix(':').map_or((word, ""), |name| (name, ":"));
            format!("{}{colon}", Kind::Modules.plain(name).unwrap_or(name))
        };
        let lines: Vec<String> =
            text.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ")).collect();
        tree.write(&path, (lines.join("\n") + "\n").as_bytes(), 0o644)?;
        tree.remove(&format!("{path}.bin"))?;
    }
    Ok(())
}

/// Unpacks whole files of some compressions.
fn plain(bytes: &[u8]) -> Result<Vec<u8>> {
    let reader: Box<dyn std::io::Read + '_> = match bytes {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(liblzma::read::XzDecoder::new_multi_decoder(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(bytes)?),
        _ => bail!(
            "expected gz, bz2, xz or zst as its name says, got {:02x?}",
            bytes.get(..6).unwrap_or(bytes)
        ),
    };
    let mut plain = Vec::new();
    reader.take(MAX_PLAIN + 1).read_to_end(&mut plain)?;
    ensure!(plain.len() as u64 <= MAX_PLAIN, "expected at most {MAX_PLAIN} bytes when unpacked, got more");
    Ok(plain)
}

/// The kernel, if its image is one that is compressed, and its size.
fn kernel(tree: &Root) -> Result<Option<(String, u64)>> {
    let mut places: Vec<String> = Vec::new();
    for (name, kind) in tree.list("usr/lib/modules")? {
        if kind == FileType::Directory {
            places.push(format!("usr/lib/modules/{name}/vmlinuz"));
        }
    }
    for (name, _) in tree.list("boot")? {
        if name.starts_with("vmlinuz-") || name.starts_with("zImage-") {
            places.push(format!("boot/{name}"));
        }
    }
    for path in places {
        let Some(bytes) = tree.read(&path)? else { continue };
        let at = |offset: usize, length: usize| bytes.get(offset..offset + length).unwrap_or_default();
        // x86's boot header, ARM's zImage magic, a gz as some aarch64 kernels are; an uncompressed Image has none
        let packed =
            at(0x202, 4) == b"HdrS" || at(0x24, 4) == [0x18, 0x28, 0x6f, 0x01] || at(0, 2) == [0x1f, 0x8b];
        if packed {
            return Ok(Some((path, bytes.len() as u64)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::tests::{apply as run, tree};
    use super::*;

    fn gz(text: &str) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    }

    fn sample() -> (tempfile::TempDir, Root) {
        let (dir, root) = tree(&[
            "usr/share/man/man1/b.1.gz -> a.1.gz",
            "usr/share/doc/x/notes",
            "usr/share/doc/x/elsewhere.gz -> /nowhere",
            "usr/lib/modules/6.1/modules.dep=kernel/m.ko.gz: kernel/n.ko.xz\nkernel/n.ko.xz:\n",
            "usr/lib/modules/6.1/modules.dep.bin",
        ]);
        root.write("usr/share/man/man1/a.1.gz", &gz("manual"), 0o640).unwrap();
        root.write("usr/lib/modules/6.1/kernel/m.ko.gz", &gz("\x7fELF module"), 0o644).unwrap();
        root.write("usr/lib/modules/6.1/kernel/notes.gz", &gz("no module"), 0o644).unwrap();
        let mut kernel = vec![0; 0x300];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        root.write("usr/lib/modules/6.1/vmlinuz", &kernel, 0o644).unwrap();
        (dir, root)
    }

    #[test]
    fn says_what_each_update_may_cost() {
        let (_dir, root) = sample();
        let outcome = run(apply, &root, &Options::default()).unwrap();
        let size = gz("manual").len();
        assert_eq!(outcome.warnings.len(), 3, "{:?}", outcome.warnings);
        let first = format!("documentation: 1 compressed files, {size} bytes; an update downloads each");
        assert!(outcome.warnings[0].starts_with(&first), "{:?}", outcome.warnings);
        let end = format!("the largest: /usr/share/man/man1/a.1.gz {size}, /usr/share/man/man1/b.1.gz 0");
        assert!(outcome.warnings[0].ends_with(&end), "{:?}", outcome.warnings);
        assert!(outcome.warnings[1].starts_with("modules: 1 compressed files"), "{:?}", outcome.warnings);
        assert!(
            outcome.warnings[2].starts_with("/usr/lib/modules/6.1/vmlinuz: compressed"),
            "{:?}",
            outcome.warnings
        );
        assert!(root.exists("usr/share/man/man1/a.1.gz").unwrap());
    }

    #[test]
    fn stores_plain_what_is_asked_for_and_links_follow() {
        let (_dir, root) = sample();
        let options = Options { uncompress: Kind::ALL.to_vec(), ..Options::default() };
        let outcome = run(apply, &root, &options).unwrap();
        assert_eq!(outcome.warnings.len(), 1, "the kernel's: {:?}", outcome.warnings);
        assert_eq!(root.read("usr/share/man/man1/a.1").unwrap().unwrap(), b"manual");
        let mode = root.place("usr/share/man/man1/a.1").unwrap().unwrap().stat().unwrap().unwrap().st_mode;
        assert_eq!(mode & 0o7777, 0o640);
        assert_eq!(root.link_target("usr/share/man/man1/b.1").unwrap().as_deref(), Some("a.1"));
        assert_eq!(root.read("usr/lib/modules/6.1/kernel/m.ko").unwrap().unwrap(), b"\x7fELF module");
        let list = root.read_text("usr/lib/modules/6.1/modules.dep").unwrap().unwrap();
        assert_eq!(list, "kernel/m.ko: kernel/n.ko\nkernel/n.ko:\n");
        for gone in
            ["usr/lib/modules/6.1/modules.dep.bin", "usr/share/man/man1/a.1.gz", "usr/share/man/man1/b.1.gz"]
        {
            assert!(!root.exists(gone).unwrap(), "{gone}");
        }
        for kept in ["usr/share/doc/x/elsewhere.gz", "usr/lib/modules/6.1/kernel/notes.gz"] {
            assert!(root.exists(kept).unwrap(), "{kept}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_unpack_by_name() {
        let options = || Options { uncompress: vec![Kind::Documentation], ..Options::default() };
        let (_dir, root) = tree(&["usr/share/doc/a.gz=text"]);
        let error = format!("{:#}", run(apply, &root, &options()).unwrap_err());
        assert!(error.contains("usr/share/doc/a.gz: expected gz, bz2, xz or zst"), "{error}");
        let (_dir, root) = tree(&["usr/share/doc/a=text"]);
        root.write("usr/share/doc/a.gz", &gz("other"), 0o644).unwrap();
        let error = run(apply, &root, &options()).unwrap_err().to_string();
        assert_eq!(error, "usr/share/doc/a.gz: cannot be stored plain: usr/share/doc/a is there too");
        root.write("usr/share/doc/a.gz", &gz("other")[..12], 0o644).unwrap();
        root.remove("usr/share/doc/a").unwrap();
        assert!(run(apply, &root, &options()).is_err(), "cut short");
    }
}
