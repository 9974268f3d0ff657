//! primary.xml: name, version, dependencies and place of every package.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

use std::io::BufRead;

use anyhow::{Context, Result, bail};

use super::Rich;
use super::pool::{Dependency, Evr, Package, PackageId, Pool, RelOp};
use super::xml::{Document, Item, Tag};
use crate::fetch::Digest;

/// Adds the packages of repository `repo` to the pool; other architectures than `arches` are left out.
pub(super) fn read(pool: &mut Pool, repo: usize, input: impl BufRead, arches: &[&str]) -> Result<()> {
    let mut document = Document::new(input);
    let mut package: Option<Partial> = None;
    let (mut declared, mut seen) = (None, 0u64);
    loop {
        match document.next()? {
            Item::Start(tag) => match (tag.name.as_str(), &mut package) {
                ("metadata", None) => declared = Some(tag.number("packages")?),
                ("package", slot) => {
                    seen = seen.saturating_add(1);
                    *slot = Some(Partial::default());
                }
                (_, Some(partial)) => partial
                    .start(pool, &tag)
                    .with_context(|| format!("package {:?}, number {seen}", partial.name))?,
                _ => {}
            },
            Item::End { name, text } => {
                if name == "package" {
                    let partial = package.take().context("a package that ends twice")?;
                    let label = partial.name.clone();
                    partial
                        .finish(pool, repo, arches)
                        .with_context(|| format!("package {label:?}, number {seen}"))?;
                } else if let Some(partial) = &mut package {
                    partial.end(pool, &name, text).with_context(|| format!("package {:?}", partial.name))?;
                }
            }
            Item::Eof => break,
        }
    }
    match declared {
        None => bail!("no metadata element, expected primary.xml"),
        Some(declared) if declared != seen => {
            bail!("number of packages: expected {declared} as the metadata element says, got {seen}")
        }
        Some(_) => Ok(()),
    }
}

/// The list an `rpm:entry` belongs to.
#[derive(Clone, Copy)]
enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Supplements,
}

#[derive(Default)]
struct Partial {
    name: String,
    arch: String,
    evr: Option<Evr>,
    checksum_kind: String,
    digest: Option<Digest>,
    size_bytes: u64,
    build_time: u64,
    location: Option<Box<str>>,
    base: Option<Box<str>>,
    list: Option<List>,
    lists: Lists,
    files: Vec<super::Sym>,
}

#[derive(Default)]
struct Lists {
    provides: Vec<Dependency>,
    requires: Vec<Dependency>,
    conflicts: Vec<Dependency>,
    obsoletes: Vec<Dependency>,
    recommends: Vec<Dependency>,
    supplements: Vec<Dependency>,
}

impl Lists {
    fn get_mut(&mut self, list: List) -> &mut Vec<Dependency> {
        match list {
            List::Provides => &mut self.provides,
            List::Requires => &mut self.requires,
            List::Conflicts => &mut self.conflicts,
            List::Obsoletes => &mut self.obsoletes,
            List::Recommends => &mut self.recommends,
            List::Supplements => &mut self.supplements,
        }
    }
}

impl Partial {
    fn start(&mut self, pool: &mut Pool, tag: &Tag) -> Result<()> {
        match tag.name.as_str() {
            "version" => {
                self.evr = Some(Evr {
                    epoch: epoch(tag)?,
                    version: pool.strings.intern(tag.need("ver")?),
                    release: Some(pool.strings.intern(tag.need("rel")?)),
                });
            }
            "checksum" => self.checksum_kind = tag.need("type")?.to_string(),
            "time" => self.build_time = tag.number("build")?,
            "size" => self.size_bytes = tag.number("package")?,
            "location" => {
                self.location = Some(checked_location(tag.need("href")?)?.into());
                self.base = tag.get("xml:base").map(Into::into);
            }
            "rpm:provides" => self.list = Some(List::Provides),
            "rpm:requires" => self.list = Some(List::Requires),
            "rpm:conflicts" => self.list = Some(List::Conflicts),
            "rpm:obsoletes" => self.list = Some(List::Obsoletes),
            "rpm:recommends" => self.list = Some(List::Recommends),
            "rpm:supplements" => self.list = Some(List::Supplements),
            "rpm:suggests" | "rpm:enhances" => self.list = None,
            "rpm:entry" => {
                if let Some(list) = self.list {
                    let dependency = entry(pool, tag)?;
                    self.lists.get_mut(list).push(dependency);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, pool: &mut Pool, name: &str, text: String) -> Result<()> {
        match name {
            "name" => {
                pool.strings.intern(&text);
                self.name = text;
            }
            "arch" => {
                pool.strings.intern(&text);
                self.arch = text;
            }
            "checksum" => self.digest = Some(Digest::parse(&self.checksum_kind, text.trim())?),
            "file" => self.files.push(pool.strings.intern(&text)),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, pool: &mut Pool, repo: usize, arches: &[&str]) -> Result<()> {
        if self.name.is_empty() {
            bail!("no name");
        }
        let digest = self.digest.context("no checksum")?;
        let evr = self.evr.context("no version")?;
        let location = self.location.context("no location")?;
        if !arches.contains(&self.arch.as_str()) {
            return Ok(());
        }
        let Lists { mut provides, requires, conflicts, obsoletes, recommends, supplements } = self.lists;
        let name = pool.strings.intern(&self.name);
        let own = Dependency { name, version: Some((RelOp::EQ, evr)) };
        if !provides.contains(&own) {
            provides.push(own);
        }
        let id = PackageId::try_from(pool.packages.len()).context("too many packages")?;
        pool.by_digest.entry((repo, digest.hex.clone())).or_default().push(id);
        pool.packages.push(Package {
            repo,
            name,
            arch: pool.strings.intern(&self.arch),
            evr,
            digest,
            size_bytes: self.size_bytes,
            build_time: self.build_time,
            location,
            base: self.base,
            provides,
            requires,
            conflicts,
            obsoletes,
            recommends,
            supplements,
            files: self.files,
            excluded: None,
        });
        Ok(())
    }
}

fn epoch(tag: &Tag) -> Result<u32> {
    u32::try_from(tag.number("epoch")?).with_context(|| format!("epoch of element {}", tag.name))
}

fn entry(pool: &mut Pool, tag: &Tag) -> Result<Dependency> {
    let text = tag.need("name")?;
    if text.starts_with('(') && pool.strings.find(text).is_none() {
        let rich = Rich::parse(text, &mut pool.strings);
        let name = pool.strings.intern(text);
        pool.rich.insert(name, rich.ok());
    }
    let name = pool.strings.intern(text);
    let version = match tag.get("flags") {
        None => None,
        Some(flags) => {
            let op =
                RelOp::from_flags(flags).with_context(|| format!("rpm:entry has unknown flags {flags:?}"))?;
            // a "flags" without a version means any version
            match tag.get("ver") {
                None | Some("") => None,
                Some(version) => {
                    let version = pool.strings.intern(version);
                    let release = match tag.get("rel") {
                        None | Some("") => None,
                        Some(release) => Some(pool.strings.intern(release)),
                    };
                    Some((op, Evr { epoch: epoch(tag)?, version, release }))
                }
            }
        }
    };
    Ok(Dependency { name, version })
}

fn checked_location(href: &str) -> Result<&str> {
    if href.is_empty()
        || href.starts_with('/')
        || href.contains("://")
        || href.split('/').any(|part| part == "..")
    {
        bail!("location {href:?}: expected a path below the repository");
    }
    Ok(href)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "<metadata packages='1'><package type='rpm'><name>a&amp;b</name><arch>noarch</arch>\
        <version epoch='1' ver='2' rel='3'/><checksum type='sha256' pkgid='YES'>HEX</checksum>\
        <time file='1' build='77'/><size package='9' installed='1' archive='1'/><location href='p/a.rpm'/><format>\
        <rpm:provides><rpm:entry name='virtual'/></rpm:provides>\
        <rpm:requires><rpm:entry name='x' flags='GE' epoch='0' ver='1' rel='2' pre='1'/>\
        <rpm:entry name='(y if z)'/></rpm:requires>\
        <rpm:suggests><rpm:entry name='ignored'/></rpm:suggests><file>/etc/a</file><file type='dir'>/usr/bin</file>\
        </format></package></metadata>";

    fn parse(text: &str) -> Result<Pool> {
        let mut pool = Pool::default();
        read(&mut pool, 0, text.replace("HEX", &"ab".repeat(32)).as_bytes(), &["noarch", "x86_64"])?;
        Ok(pool)
    }

    #[test]
    fn reads_a_package() {
        let pool = parse(ONE).unwrap();
        assert_eq!(pool.nevra(0), "a&b-1:2-3.noarch");
        let package = pool.package(0);
        assert_eq!((package.size_bytes, package.build_time, &*package.location), (9, 77, "p/a.rpm"));
        let texts = |list: &[Dependency]| list.iter().map(|d| pool.dependency_text(d)).collect::<Vec<_>>();
        assert_eq!(texts(&package.provides), ["virtual", "a&b = 1:2-3"]);
        assert_eq!(texts(&package.requires), ["x >= 1-2", "(y if z)"]);
        assert!(pool.strings.find("ignored").is_none());
        assert_eq!(package.files.len(), 2);
        assert!(parse(&ONE.replace("noarch", "i686")).unwrap().packages.is_empty());
    }

    #[test]
    fn refuses_lies() {
        for (from, to, expected) in [
            ("packages='1'", "packages='2'", "expected 2 as the metadata element says, got 1"),
            ("href='p/a.rpm'", "href='../a.rpm'", "location \"../a.rpm\""),
            ("href='p/a.rpm'", "href='/a.rpm'", "expected a path below the repository"),
            ("flags='GE'", "flags='XX'", "unknown flags \"XX\""),
            ("type='sha256'", "type='md5'", "md5"),
            ("HEX", "zz", "sha256"),
            ("epoch='1'", "epoch='4294967296'", "epoch of element version"),
            ("<name>a&amp;b</name>", "", "no name"),
            ("</metadata>", "", "ends inside element metadata"),
        ] {
            let error = format!("{:#}", parse(&ONE.replace(from, to)).unwrap_err());
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
