//! Reads a Debian package: an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*` (deb(5)).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

/// A Debian package in memory.
#[derive(Default)]
pub struct Deb {
    /// Fields of the control file.
    pub control: BTreeMap<String, String>,
    /// Other members of the control archive (`postinst`, `triggers` ...), text only.
    pub scripts: BTreeMap<String, String>,
    /// Paths that dpkg treats as configuration.
    pub conffiles: BTreeSet<String>,
    /// The files, in archive order.
    pub entries: Vec<Entry>,
    /// Latest time of any member, seconds since 1970: when the package was built.
    pub newest: u32,
}

/// One path of the data archive.
#[derive(Clone)]
pub struct Entry {
    /// Absolute path as the archive has it.
    pub path: String,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u16,
    /// Owner's name.
    pub user: String,
    /// Group's name.
    pub group: String,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a path of the data archive is.
#[derive(Clone)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A file with its bytes.
    File(Vec<u8>),
    /// A symbolic link to a target.
    Symlink(String),
    /// A second name of an earlier path.
    Hardlink(String),
}

impl Deb {
    /// Splits and unpacks the package.
    pub fn read(bytes: &[u8]) -> Result<Deb> {
        let mut deb = Deb::default();
        for (name, body) in ar_members(bytes)? {
            if let Some(compression) = name.strip_prefix("control.tar") {
                deb.read_control(decompressor(compression, body)?)?;
            } else if let Some(compression) = name.strip_prefix("data.tar") {
                deb.read_data(decompressor(compression, body)?)?;
            }
        }
        ensure!(!deb.control.is_empty(), "deb without control.tar");
        Ok(deb)
    }

    /// The fields of the control file alone.
    pub fn read_control_only(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
        let mut members = ar_members(bytes)?;
        members.retain(|(name, _)| name.starts_with("control.tar"));
        let (name, body) = members.pop().context("deb without control.tar")?;
        let mut deb = Deb::default();
        deb.read_control(decompressor(name.trim_start_matches("control.tar"), body)?)?;
        Ok(deb.control)
    }

    /// A field of the control file, empty when absent.
    pub fn field(&self, name: &str) -> &str {
        self.control.get(name).map_or("", String::as_str)
    }

    fn read_control(&mut self, reader: impl Read) -> Result<()> {
        for member in tar::Archive::new(reader).entries()? {
            let mut member = member?;
            let name = member.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            let mut body = Vec::new();
            member.read_to_end(&mut body)?;
            let text = String::from_utf8_lossy(&body).into_owned();
            match name.as_str() {
                "control" => self.control = fields(&text),
                "conffiles" => {
                    let paths = text.lines().filter(|line| !line.starts_with("remove-on-upgrade"));
                    self.conffiles = paths.map(|line| line.trim().to_owned()).collect();
                }
                "md5sums" | "" => {}
                _ => drop(self.scripts.insert(name, text)),
            }
        }
        Ok(())
    }

    fn read_data(&mut self, reader: impl Read) -> Result<()> {
        for member in tar::Archive::new(reader).entries()? {
            let mut member = member?;
            let path = String::from_utf8(member.path_bytes().into_owned()).context("path is not UTF-8")?;
            let path = format!("/{}", path.trim_start_matches("./").trim_matches('/'));
            if path == "/" {
                continue;
            }
            let kind = match member.header().entry_type() {
                tar::EntryType::Directory => Kind::Dir,
                tar::EntryType::Symlink => Kind::Symlink(link_target(&member)?),
                tar::EntryType::Link => {
                    Kind::Hardlink(format!("/{}", link_target(&member)?.trim_start_matches("./")))
                }
                tar::EntryType::Regular => {
                    let mut body = Vec::new();
                    member.read_to_end(&mut body)?;
                    Kind::File(body)
                }
                other => bail!("{path}: entry type {other:?} is not expected in a deb"),
            };
            let header = member.header();
            let owner = |name: Option<&str>| match name {
                None | Some("") => "root".to_owned(),
                Some(name) => name.to_owned(),
            };
            let mtime = u32::try_from(header.mtime()?)?;
            self.newest = self.newest.max(mtime);
            self.entries.push(Entry {
                path,
                mode: u16::try_from(header.mode()? & 0o7777)?,
                user: owner(header.username()?),
                group: owner(header.groupname()?),
                mtime,
                kind,
            });
        }
        Ok(())
    }
}

fn link_target<R: Read>(member: &tar::Entry<'_, R>) -> Result<String> {
    let target = member.link_name_bytes().context("link without a target")?;
    String::from_utf8(target.into_owned()).context("link target is not UTF-8")
}

/// Members of an `ar` archive; deb(5) has no long names.
fn ar_members(bytes: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let mut rest = bytes.strip_prefix(b"!<arch>\n").context("not an ar archive")?;
    let mut members = Vec::new();
    while rest.len() >= 60 {
        let (header, body) = rest.split_at(60);
        let name = std::str::from_utf8(&header[..16])?.trim_end().trim_end_matches('/').to_owned();
        let size: usize = std::str::from_utf8(&header[48..58])?.trim().parse()?;
        ensure!(size <= body.len(), "ar member {name}: {size} bytes expected, {} left", body.len());
        members.push((name, &body[..size]));
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
    Ok(members)
}

fn decompressor<'a>(suffix: &str, body: &'a [u8]) -> Result<Box<dyn Read + 'a>> {
    Ok(match suffix {
        "" => Box::new(body),
        ".gz" => Box::new(flate2::read::GzDecoder::new(body)),
        ".xz" => Box::new(liblzma::read::XzDecoder::new(body)),
        ".zst" => Box::new(zstd::Decoder::new(body)?),
        other => bail!("archive compression {other} is not supported"),
    })
}

/// Fields of one deb822 paragraph; continuation lines keep their line breaks.
pub fn fields(text: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = found.get_mut(&last) {
                value.push('\n');
                value.push_str(line.strip_prefix([' ', '\t']).unwrap_or(line));
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.to_owned();
            found.insert(last.clone(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_continued_fields() {
        let found = fields("Package: a\nDescription: short\n long\n .\n more\nVersion: 1:2-3\n");
        assert_eq!(found["Description"], "short\nlong\n.\nmore");
        assert_eq!(found["Version"], "1:2-3");
    }

    #[test]
    fn splits_ar_members_at_even_offsets() {
        let mut archive = b"!<arch>\n".to_vec();
        for (name, body) in [("debian-binary", "2.0"), ("control.tar", "xy")] {
            archive.extend(format!("{name:<16}{:<32}{:<10}`\n{body}", 0, body.len()).bytes());
            archive.extend((body.len() % 2 == 1).then_some(b'\n'));
        }
        let members = ar_members(&archive).expect("made above");
        assert_eq!(members[0], ("debian-binary".to_owned(), b"2.0".as_slice()));
        assert_eq!(members[1], ("control.tar".to_owned(), b"xy".as_slice()));
        archive.truncate(archive.len() - 1);
        let error = ar_members(&archive).expect_err("cut").to_string();
        assert_eq!(error, "ar member control.tar: 2 bytes expected, 1 left");
    }
}
