//! Compressing on the build host.

use super::Deflate;
use crate::input::Input;
use libdeflater::{CompressionLvl, Compressor};
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use std::cell::RefCell;
use std::io::{self, Read, Write};

/// Files up to this many bytes are compressed in one piece, in memory.
const IN_MEMORY: u64 = 256 << 20;
/// zlib's own middle, which libostree uses; libdeflate's is a little smaller and much faster.
const LEVEL: u8 = 6;

/// Level 6 by libdeflate; very large files by a streaming compressor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Libdeflate;

thread_local! {
    static COMPRESSOR: RefCell<(Compressor, Vec<u8>)> =
        RefCell::new((Compressor::new(CompressionLvl::new(i32::from(LEVEL)).unwrap_or_default()), Vec::new()));
}

impl Deflate for Libdeflate {
    fn deflate(&self, input: &mut dyn Input, size: u64, output: &mut dyn Write) -> io::Result<()> {
        if size > IN_MEMORY {
            return deflate_stream(input, output);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        input.read_to_end(&mut bytes)?;
        COMPRESSOR.with_borrow_mut(|(compressor, out)| {
            let bound = compressor.deflate_compress_bound(bytes.len());
            if out.len() < bound {
                out.resize(bound, 0);
            }
            let count = compressor.deflate_compress(&bytes, out).map_err(io::Error::other)?;
            output.write_all(out.get(..count).unwrap_or_default())
        })
    }
}

fn deflate_stream(input: &mut dyn Input, output: &mut dyn Write) -> io::Result<()> {
    let mut state = CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL.into(), 0, 0));
    let (mut buffer, mut out) = (vec![0; 256 << 10], vec![0; 256 << 10]);
    loop {
        let count = input.read(&mut buffer)?;
        let flush = if count == 0 { TDEFLFlush::Finish } else { TDEFLFlush::None };
        let mut rest = buffer.get(..count).unwrap_or_default();
        loop {
            let (status, read, written) = compress(&mut state, rest, &mut out, flush);
            rest = rest.get(read..).unwrap_or_default();
            output.write_all(out.get(..written).unwrap_or_default())?;
            match status {
                TDEFLStatus::Done => return Ok(()),
                TDEFLStatus::Okay if rest.is_empty() && written < out.len() => break,
                TDEFLStatus::Okay => {}
                _ => return Err(io::Error::other("compressor failed")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec;

    #[test]
    fn both_ways_are_undone_by_inflate() {
        let data: Vec<u8> = (0..900_000u32).map(|n| (n.wrapping_mul(n) >> 13) as u8).collect();
        let mut whole = Vec::new();
        Libdeflate.deflate(&mut data.as_slice(), data.len() as u64, &mut whole).unwrap();
        let mut streamed = Vec::new();
        deflate_stream(&mut data.as_slice(), &mut streamed).unwrap();
        for compressed in [whole, streamed] {
            assert_eq!(decompress_to_vec(&compressed).unwrap(), data);
        }
    }
}
