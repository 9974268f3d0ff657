//! The payload: a compressed cpio archive, hashed as it streams.
//!
//! [`Payload`] reads decompressed bytes; [`Payload::finish`] then reads whatever is left of the file and checks the
//! digest the header gives for the compressed payload and, if asked, the digest of the whole file.

use super::{Package, hex, tags};
use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::rc::Rc;

/// Dictionary and tables of the largest preset of xz, with room.
const XZ_MEMORY_BYTES: u64 = 256 << 20;
/// 2^27 bytes, the most that zstd's tools accept without being told.
const ZSTD_WINDOW_LOG: u32 = 27;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 256 << 10;

/// Decompressed bytes of a package's payload.
pub struct Payload {
    raw: Rc<RefCell<Raw>>,
    decoder: Box<dyn Read>,
}

struct Raw {
    file: File,
    whole: Option<Sha256>,
    payload: Sha256,
}

struct Shared(Rc<RefCell<Raw>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut raw = self.0.borrow_mut();
        let length = raw.file.read(buffer)?;
        let bytes = &buffer[..length];
        raw.payload.update(bytes);
        if let Some(whole) = &mut raw.whole {
            whole.update(bytes);
        }
        Ok(length)
    }
}

impl Payload {
    /// Opens the package's file again and goes to its payload; `hash_file` also hashes what comes before it.
    pub fn open(package: &Package, hash_file: bool) -> Result<Payload> {
        let mut file =
            File::open(&package.path).with_context(|| format!("{}: open", package.path.display()))?;
        let mut before = Vec::new();
        (&mut file).take(package.payload_offset).read_to_end(&mut before)?;
        let got = before.len() as u64;
        ensure!(got == package.payload_offset, "the file has been truncated since it was opened");
        let whole = hash_file.then(|| Sha256::new_with_prefix(&before));
        let raw = Rc::new(RefCell::new(Raw { file, whole, payload: Sha256::new() }));
        let format = package.header.text(tags::PAYLOADFORMAT).unwrap_or("cpio".into());
        ensure!(format == "cpio", "payload format: expected cpio, got {format}");
        let mut input = BufReader::with_capacity(BUFFER_BYTES, Shared(Rc::clone(&raw)));
        // no tag means gzip, whose reader in rpm passes on what is not compressed
        let absent = if input.fill_buf()?.starts_with(&GZIP_MAGIC) { "gzip" } else { "none" };
        let compressor = package.header.text(tags::PAYLOADCOMPRESSOR).unwrap_or(absent.into());
        let decoder: Box<dyn Read> = match &*compressor {
            "gzip" => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            "bzip2" => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            "xz" => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES, flags)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            "lzma" => {
                let stream = liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY_BYTES)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            "zstd" => {
                let mut decoder = zstd::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            "none" | "identity" | "" => Box::new(input),
            other => bail!("payload compressor {other}: expected gzip, xz, lzma, zstd, bzip2 or none"),
        };
        Ok(Payload { raw, decoder })
    }

    /// Reads the file to its end and checks its digests.
    pub fn finish(mut self, package: &Package, file_digest: Option<&str>) -> Result<()> {
        io::copy(&mut self.decoder, &mut io::sink()).context("payload")?;
        drop(self.decoder);
        io::copy(&mut Shared(Rc::clone(&self.raw)), &mut io::sink())?;
        let raw = self.raw.borrow();
        if let (Some(expected), Some(whole)) = (file_digest, &raw.whole) {
            let got = hex(&whole.clone().finalize());
            ensure!(expected == got, "file SHA-256: expected {expected}, got {got}");
        }
        if let Some(expected) = package.header.text(tags::PAYLOADDIGEST) {
            let algorithm = package.header.number(tags::PAYLOADDIGESTALGO).unwrap_or(8);
            ensure!(algorithm == 8, "payload digest algorithm: expected 8 (SHA-256), got {algorithm}");
            let got = hex(&raw.payload.clone().finalize());
            ensure!(*expected == got, "payload SHA-256: expected {expected}, got {got}");
        }
        Ok(())
    }
}

impl Read for Payload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}
