//! Metadata compressions, told apart by their first bytes.

use std::io::{BufRead, Read};

use anyhow::{Context, Result, bail};

/// A reader of the plain bytes of `input`; `name` is for errors.
pub fn decompress(mut input: impl BufRead + 'static, name: &str) -> Result<Box<dyn Read>> {
    let start = input.fill_buf().with_context(|| name.to_string())?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(zstd::Decoder::with_buffer(input).with_context(|| name.to_string())?)
        }
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
        [b'<', ..] => Box::new(input),
        [0, b'Z', b'C', b'K', b'1', ..] => bail!("{name}: zchunk is not supported"),
        _ => bail!("{name}: compression not known, expected gz, xz, zst, bz2 or plain XML"),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_every_compression() {
        let text = b"<metadata/>".repeat(1000);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&text).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&text).unwrap();
        let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bz2.write_all(&text).unwrap();
        let zst = zstd::encode_all(&text[..], 1).unwrap();
        for (name, bytes) in [
            ("gz", gz.finish().unwrap()),
            ("xz", xz.finish().unwrap()),
            ("bz2", bz2.finish().unwrap()),
            ("zst", zst),
            ("plain", text.clone()),
        ] {
            let mut out = Vec::new();
            decompress(std::io::Cursor::new(bytes), name).unwrap().read_to_end(&mut out).unwrap();
            assert!(out == text, "{name}");
        }
        assert!(decompress(&b"\0ZCK1xx"[..], "p").err().unwrap().to_string().contains("zchunk"));
        assert!(decompress(&b"{}"[..], "p").is_err());
    }
}
