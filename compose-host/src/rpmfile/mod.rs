//! An RPM file: `lead (96 bytes) | signature header, padded to 8 | header | payload`.
//!
//! [`Package::open`] reads all but the payload and checks the header's digest; [`payload::Payload`] streams the rest.
//! Decoding is our own: the `rpm` crate slices by offsets it has not checked, and the rpm database needs the header's
//! very bytes. Source: rpm's `docs/manual/format*.md`.

pub mod deps;
pub mod files;
pub mod header;
pub mod payload;
pub mod script;
pub mod tags;

pub use header::Header;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const LEAD_LENGTH: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// A package's name, epoch, version, release and architecture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nevra {
    /// Name.
    pub name: String,
    /// Epoch; absent and 0 mean the same and print the same.
    pub epoch: Option<u32>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.name)?;
        if let Some(epoch) = self.epoch.filter(|epoch| *epoch != 0) {
            write!(f, "{epoch}:")?;
        }
        write!(f, "{}-{}.{}", self.version, self.release, self.arch)
    }
}

impl Nevra {
    fn of(header: &Header) -> Result<Nevra> {
        let text = |tag, what| {
            let value = header.text(tag).with_context(|| format!("header has no {what}"))?;
            ensure!(!value.is_empty() && !value.contains('/'), "header has {what} {value:?}");
            Ok(value.into_owned())
        };
        Ok(Nevra {
            name: text(tags::NAME, "name")?,
            epoch: header.number(tags::EPOCH).map(u32::try_from).transpose()?,
            version: text(tags::VERSION, "version")?,
            release: text(tags::RELEASE, "release")?,
            // gpg-pubkey entries of an rpmdb have none
            arch: header.text(tags::ARCH).map_or_else(|| "(none)".to_owned(), |arch| arch.into_owned()),
        })
    }
}

/// A package: its headers, and the file they came from.
#[derive(Clone, Debug)]
pub struct Package {
    /// The RPM file.
    pub path: PathBuf,
    /// Its identity.
    pub nevra: Nevra,
    /// The signature header: digests and signatures.
    pub signature: Header,
    /// The header: everything else.
    pub header: Header,
    /// Where the payload starts in the file.
    pub payload_offset: u64,
}

impl Package {
    /// Opens an RPM file and checks its header's digest; the payload is not read.
    pub fn open(path: &Path) -> Result<Package> {
        let file = File::open(path).with_context(|| format!("{}: open", path.display()))?;
        Package::read(path, &mut BufReader::new(file)).with_context(|| format!("{}", path.display()))
    }

    fn read(path: &Path, reader: &mut impl Read) -> Result<Package> {
        let mut lead = [0u8; LEAD_LENGTH];
        reader.read_exact(&mut lead).context("not an RPM: shorter than a lead")?;
        let magic = lead.first_chunk::<4>().copied().unwrap_or_default();
        ensure!(magic == LEAD_MAGIC, "not an RPM: expected magic {}, got {}", hex(&LEAD_MAGIC), hex(&magic));
        let signature = Header::read(reader).context("signature header")?;
        let padding = (8 - signature.bytes().len() % 8) % 8;
        reader.read_exact(&mut [0u8; 8][..padding]).context("signature header padding")?;
        let header = Header::read(reader).context("main header")?;
        if !header.entries().iter().any(|entry| entry.tag == tags::SOURCERPM) {
            bail!("a source package, expected a binary one");
        }
        let package = Package::new(path.to_owned(), signature, header)?;
        package.check_header_digest()?;
        Ok(package)
    }

    /// A package of headers that are already in memory.
    pub fn new(path: PathBuf, signature: Header, header: Header) -> Result<Package> {
        let nevra = Nevra::of(&header)?;
        let padding = (8 - signature.bytes().len() % 8) % 8;
        let length = LEAD_LENGTH + 8 + signature.bytes().len() + padding + 8 + header.bytes().len();
        Ok(Package { path, nevra, signature, header, payload_offset: length as u64 })
    }

    /// True when the file itself says how to check its header and payload with SHA-256.
    pub fn has_own_digests(&self) -> bool {
        self.signature.entry(tags::SHA256HEADER).is_some() && self.header.entry(tags::PAYLOADDIGEST).is_some()
    }

    fn check_header_digest(&self) -> Result<()> {
        let Some(expected) = self.signature.text(tags::SHA256HEADER) else { return Ok(()) };
        let got =
            hex(&Sha256::new().chain_update(header::MAGIC).chain_update(self.header.bytes()).finalize());
        ensure!(*expected == got, "{}: header SHA-256: expected {expected}, got {got}", self.nevra);
        Ok(())
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nevra_prints_as_dnf_does() {
        let mut nevra = Nevra {
            name: "bash".into(),
            epoch: None,
            version: "5.2".into(),
            release: "1".into(),
            arch: "x86_64".into(),
        };
        assert_eq!(nevra.to_string(), "bash-5.2-1.x86_64");
        nevra.epoch = Some(0);
        assert_eq!(nevra.to_string(), "bash-5.2-1.x86_64");
        nevra.epoch = Some(2);
        assert_eq!(nevra.to_string(), "bash-2:5.2-1.x86_64");
    }

    #[test]
    fn refuses_what_is_no_rpm() {
        for (bytes, reason) in [
            (&b"short"[..], "shorter than a lead"),
            (&[0u8; 200][..], "expected magic edabeedb, got 00000000"),
        ] {
            let error = Package::read(Path::new("x.rpm"), &mut &bytes[..]).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
