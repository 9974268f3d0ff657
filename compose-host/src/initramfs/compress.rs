//! Compression of the archive, and of modules.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result, bail};

/// What the kernel has to undo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Stored.
    None,
    /// Every kernel can.
    #[default]
    Gzip,
    /// Linux 5.9 and later.
    Zstd,
    /// The smallest, slow to unpack.
    Xz,
}

/// A module above this is refused: no length of a compressed one is believed.
const MAX_MODULE: u64 = 1 << 28;

impl Compression {
    const ALL: [(Compression, &str); 4] =
        [(Self::None, "none"), (Self::Gzip, "gzip"), (Self::Zstd, "zstd"), (Self::Xz, "xz")];

    /// Reads the word of the manifest.
    pub fn named(text: &str) -> Option<Compression> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(compression, _)| *compression)
    }

    /// The word of the manifest.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("none", |(_, name)| name)
    }

    /// Compresses; the same bytes give the same bytes.
    pub fn apply(self, bytes: &[u8]) -> Result<Vec<u8>> {
        let context = || format!("compress the initramfs with {}", self.name());
        match self {
            Compression::None => Ok(bytes.to_vec()),
            Compression::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                writer.write_all(bytes).with_context(context)?;
                writer.finish().with_context(context)
            }
            Compression::Zstd => zstd::bulk::compress(bytes, 19).with_context(context),
            Compression::Xz => {
                // the kernel checks CRC32 and no other
                let stream = liblzma::stream::Stream::new_easy_encoder(6, liblzma::stream::Check::Crc32)?;
                let mut writer = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
                writer.write_all(bytes).with_context(context)?;
                writer.finish().with_context(context)
            }
        }
    }
}

/// The plain bytes of a module: not every kernel unpacks those of every distribution.
pub fn plain(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => return Ok(bytes.to_vec()),
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(bytes).take(MAX_MODULE).read_to_end(&mut plain)?
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            liblzma::read::XzDecoder::new(bytes).take(MAX_MODULE).read_to_end(&mut plain)?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            zstd::Decoder::new(bytes)?.take(MAX_MODULE).read_to_end(&mut plain)?
        }
        _ => bail!("expected a module, plain or as gz, xz or zst"),
    };
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compression_is_undone() {
        let bytes = [b"\x7fELF".as_slice(), &b"module".repeat(500)].concat();
        for (compression, name) in Compression::ALL {
            assert_eq!((Compression::named(name), compression.name()), (Some(compression), name));
            let once = compression.apply(&bytes).unwrap();
            assert_eq!(once, compression.apply(&bytes).unwrap(), "{name}");
            assert!(compression == Compression::None || once.len() < 200, "{name}: {}", once.len());
            assert_eq!(plain(&once).unwrap(), bytes, "{name}");
        }
        assert_eq!(Compression::named("lz4"), None);
        assert!(plain(b"text").unwrap_err().to_string().contains("expected a module"));
    }
}
