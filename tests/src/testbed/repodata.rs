//! Repository metadata: `repomd.xml`, primary and filelists.
//!
//! Field by field what createrepo_c 0.17 writes for the same packages (its `xml_dump_primary.c` names the elements;
//! the file list in primary holds `/etc/`, `bin/` and `/usr/lib/sendmail` only). Times are the packages' build
//! times and the newest of them, never the clock, so the same packages give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use rpm::{Dependency, DependencyFlags, FileFlags, FileType, IndexTag, PackageMetadata};

use super::sha256_hex;

/// Compression of the metadata files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// `.gz`
    #[default]
    Gz,
    /// `.xz`
    Xz,
    /// `.zst`
    Zst,
    /// `.bz2`
    Bz2,
}

impl std::str::FromStr for Compression {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Compression> {
        Ok(match text {
            "gz" => Compression::Gz,
            "xz" => Compression::Xz,
            "zst" => Compression::Zst,
            "bz2" => Compression::Bz2,
            _ => anyhow::bail!("metadata compression {text:?}: expected gz, xz, zst or bz2"),
        })
    }
}

impl Compression {
    fn suffix(self) -> &'static str {
        match self {
            Compression::Gz => "gz",
            Compression::Xz => "xz",
            Compression::Zst => "zst",
            Compression::Bz2 => "bz2",
        }
    }

    fn compress(self, bytes: &[u8]) -> Result<Vec<u8>> {
        Ok(match self {
            Compression::Gz => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                writer.write_all(bytes)?;
                writer.finish()?
            }
            Compression::Xz => {
                let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 3);
                writer.write_all(bytes)?;
                writer.finish()?
            }
            Compression::Zst => zstd::encode_all(bytes, 9)?,
            Compression::Bz2 => {
                let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(9));
                writer.write_all(bytes)?;
                writer.finish()?
            }
        })
    }
}

/// Writes `repo/repodata/` for the RPMs in `repo/packages/`; returns their number.
pub fn write(repo: &Path, compression: Compression) -> Result<usize> {
    let mut names = Vec::new();
    for entry in fs::read_dir(repo.join("packages"))? {
        names.push(entry?.file_name().into_string().ok().context("file name is not UTF-8")?);
    }
    names.retain(|name| name.ends_with(".rpm"));
    names.sort();
    let (mut primary, mut filelists, mut newest) = (String::new(), String::new(), 0);
    for name in &names {
        let package = Described::read(&repo.join("packages").join(name), format!("packages/{name}"))?;
        newest = newest.max(package.metadata.get_build_time()?);
        package.primary(&mut primary)?;
        package.filelists(&mut filelists)?;
    }
    let count = names.len();
    let primary = format!(
        "{HEAD}<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">\n{primary}</metadata>\n"
    );
    let filelists = format!(
        "{HEAD}<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"{count}\">\n\
         {filelists}</filelists>\n"
    );
    let folder = repo.join("repodata");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut repomd = format!(
        "{HEAD}<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n  <revision>{newest}</revision>\n"
    );
    for (kind, text) in [("primary", primary), ("filelists", filelists)] {
        let packed = compression.compress(text.as_bytes())?;
        let checksum = sha256_hex(&packed);
        let file = format!("repodata/{checksum}-{kind}.xml.{}", compression.suffix());
        fs::write(repo.join(&file), &packed)?;
        write!(
            repomd,
            "  <data type=\"{kind}\">\n    <checksum type=\"sha256\">{checksum}</checksum>\n    \
             <open-checksum type=\"sha256\">{}</open-checksum>\n    <location href=\"{file}\"/>\n    \
             <timestamp>{newest}</timestamp>\n    <size>{}</size>\n    <open-size>{}</open-size>\n  </data>\n",
            sha256_hex(text.as_bytes()),
            packed.len(),
            text.len()
        )?;
    }
    repomd.push_str("</repomd>\n");
    fs::write(folder.join("repomd.xml"), repomd)?;
    Ok(count)
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// One package as the metadata describes it.
struct Described {
    metadata: PackageMetadata,
    href: String,
    checksum: String,
    size: u64,
}

impl Described {
    fn read(path: &Path, href: String) -> Result<Described> {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let metadata = PackageMetadata::parse(&mut BufReader::new(&bytes[..]))?;
        Ok(Described { metadata, href, checksum: sha256_hex(&bytes), size: u64::try_from(bytes.len())? })
    }

    fn version(&self) -> Result<String> {
        let metadata = &self.metadata;
        Ok(format!(
            "<version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>",
            metadata.get_epoch().unwrap_or(0),
            escape(metadata.get_version()?),
            escape(metadata.get_release()?)
        ))
    }

    fn primary(&self, out: &mut String) -> Result<()> {
        let metadata = &self.metadata;
        let time = metadata.get_build_time()?;
        let offsets = metadata.get_package_segment_offsets();
        let tags = &metadata.signature;
        let archive = tags.get_entry_data_as_u32(rpm::IndexSignatureTag::RPMSIGTAG_PAYLOADSIZE).unwrap_or(0);
        write!(
            out,
            "<package type=\"rpm\">\n  <name>{}</name>\n  <arch>{}</arch>\n  {}\n  \
             <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\n  <summary>{}</summary>\n  \
             <description>{}</description>\n  <packager>{}</packager>\n  <url>{}</url>\n  \
             <time file=\"{time}\" build=\"{time}\"/>\n  <size package=\"{}\" installed=\"{}\" archive=\"{archive}\"/>\n  \
             <location href=\"{}\"/>\n  <format>\n    <rpm:license>{}</rpm:license>\n    \
             <rpm:vendor>{}</rpm:vendor>\n    <rpm:group>{}</rpm:group>\n    <rpm:buildhost>{}</rpm:buildhost>\n    \
             <rpm:sourcerpm>{}</rpm:sourcerpm>\n    <rpm:header-range start=\"{}\" end=\"{}\"/>\n",
            escape(metadata.get_name()?),
            escape(metadata.get_arch()?),
            self.version()?,
            self.checksum,
            escape(metadata.get_summary()?),
            escape(metadata.get_description()?),
            escape(metadata.get_packager().unwrap_or("")),
            escape(metadata.get_url().unwrap_or("")),
            self.size,
            metadata.get_installed_size()?,
            escape(&self.href),
            escape(metadata.get_license()?),
            escape(metadata.get_vendor().unwrap_or("")),
            escape(metadata.get_group().unwrap_or("Unspecified")),
            escape(metadata.get_build_host().unwrap_or("")),
            escape(metadata.get_source_rpm().unwrap_or("")),
            offsets.header,
            offsets.payload
        )?;
        for (kind, list) in [
            ("provides", metadata.get_provides()?),
            ("requires", self.requires()?),
            ("conflicts", metadata.get_conflicts()?),
            ("obsoletes", metadata.get_obsoletes()?),
            ("suggests", metadata.get_suggests()?),
            ("enhances", metadata.get_enhances()?),
            ("recommends", metadata.get_recommends()?),
            ("supplements", metadata.get_supplements()?),
        ] {
            entries(out, kind, &list);
        }
        self.files(out, "    ", |path| {
            path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
        })?;
        out.push_str("  </format>\n</package>\n");
        Ok(())
    }

    /// Requirements, without those that the package itself meets by a file or the very same provided name.
    fn requires(&self) -> Result<Vec<Dependency>> {
        let mut requires = self.metadata.get_requires()?;
        let provides = self.metadata.get_provides()?;
        let comparison = DependencyFlags::LESS | DependencyFlags::GREATER | DependencyFlags::EQUAL;
        let same = |a: &Dependency, b: &Dependency| {
            a.name == b.name && a.version == b.version && a.flags & comparison == b.flags & comparison
        };
        requires.retain(|require| !provides.iter().any(|provide| same(require, provide)));
        if requires.iter().any(|require| require.name.starts_with('/')) && self.has_files() {
            let paths = self.metadata.get_file_paths()?;
            requires.retain(|require| !paths.iter().any(|path| path.as_os_str() == require.name.as_str()));
        }
        Ok(requires)
    }

    fn has_files(&self) -> bool {
        self.metadata.header.entry_is_present(IndexTag::RPMTAG_BASENAMES)
    }

    fn filelists(&self, out: &mut String) -> Result<()> {
        let metadata = &self.metadata;
        let (name, arch) = (escape(metadata.get_name()?), escape(metadata.get_arch()?));
        write!(out, "<package pkgid=\"{}\" name=\"{name}\" arch=\"{arch}\">\n  ", self.checksum)?;
        out.push_str(&self.version()?);
        out.push('\n');
        self.files(out, "  ", |_| true)?;
        out.push_str("</package>\n");
        Ok(())
    }

    fn files(&self, out: &mut String, indent: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        if !self.has_files() {
            return Ok(());
        }
        for file in self.metadata.get_file_entries()? {
            let path = file.path().to_str().context("file path is not UTF-8")?.to_owned();
            let kind = match file.mode().file_type() {
                FileType::Dir => " type=\"dir\"",
                _ if file.flags().contains(FileFlags::GHOST) => " type=\"ghost\"",
                _ => "",
            };
            if wanted(&path) {
                writeln!(out, "{indent}<file{kind}>{}</file>", escape(&path))?;
            }
        }
        Ok(())
    }
}

/// One list of relations; `rpmlib()` features and requirements that repeat the last of their name are left out, as
/// createrepo_c does.
fn entries(out: &mut String, kind: &str, list: &[Dependency]) {
    let mut written: Vec<String> = Vec::new();
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    for dependency in list.iter().filter(|d| !d.name.starts_with("rpmlib(")) {
        let mut text = format!("<rpm:entry name=\"{}\"", escape(&dependency.name));
        let bits =
            dependency.flags & (DependencyFlags::LESS | DependencyFlags::GREATER | DependencyFlags::EQUAL);
        let flags = match (bits.contains(DependencyFlags::LESS), bits.contains(DependencyFlags::GREATER)) {
            (true, _) if bits.contains(DependencyFlags::EQUAL) => "LE",
            (true, _) => "LT",
            (_, true) if bits.contains(DependencyFlags::EQUAL) => "GE",
            (_, true) => "GT",
            _ => "EQ",
        };
        if !bits.is_empty() && !dependency.version.is_empty() {
            let (epoch, rest) = dependency.version.split_once(':').unwrap_or(("0", &dependency.version));
            let (version, release) = rest.split_once('-').map_or((rest, None), |(v, r)| (v, Some(r)));
            let _ = write!(text, " flags=\"{flags}\" epoch=\"{epoch}\" ver=\"{}\"", escape(version));
            if let Some(release) = release {
                let _ = write!(text, " rel=\"{}\"", escape(release));
            }
        }
        let scripts = DependencyFlags::PREREQ | DependencyFlags::SCRIPT_PRE | DependencyFlags::SCRIPT_POST;
        if kind == "requires" && dependency.flags.intersects(scripts) {
            text.push_str(" pre=\"1\"");
        }
        text.push_str("/>");
        let before = last.insert(&dependency.name, text.clone());
        if kind != "requires" || before.as_ref() != Some(&text) {
            written.push(text);
        }
    }
    if !written.is_empty() {
        let _ = writeln!(out, "    <rpm:{kind}>\n      {}\n    </rpm:{kind}>", written.join("\n      "));
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_relations_as_entries() {
        let mut out = String::new();
        let pre = Dependency { flags: DependencyFlags::SCRIPT_PRE, ..Dependency::any("sh") };
        let list = [
            Dependency::greater_eq("a", "1:2.0-3"),
            Dependency::less("b&c", "4~"),
            Dependency::any("(x >= 1 or y)"),
            Dependency::any("d"),
            Dependency::any("d"),
            Dependency::rpmlib("FileDigests", "4.6.0-1"),
            pre,
        ];
        entries(&mut out, "requires", &list);
        assert_eq!(
            out,
            "    <rpm:requires>\n      \
             <rpm:entry name=\"a\" flags=\"GE\" epoch=\"1\" ver=\"2.0\" rel=\"3\"/>\n      \
             <rpm:entry name=\"b&amp;c\" flags=\"LT\" epoch=\"0\" ver=\"4~\"/>\n      \
             <rpm:entry name=\"(x &gt;= 1 or y)\"/>\n      <rpm:entry name=\"d\"/>\n      \
             <rpm:entry name=\"sh\" pre=\"1\"/>\n    </rpm:requires>\n"
        );
    }
}
