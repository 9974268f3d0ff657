//! Raw LZMA streams: no header, no end marker; length and dictionary come from the delta's header.

use super::{Section, dictionary};
use crate::error::{Error, Result};
use crate::num::low32;
use lzma_rust2::LzmaReader;

/// Literal context bits, literal position bits, position bits. Changing them breaks the format.
const PROPERTIES: (u32, u32, u32) = (3, 0, 0);

/// Bytes of memory of one decoder beside its dictionary: probabilities and input buffer.
pub(super) const FIXED: u64 = 96 << 10;

/// A decoder that gives exactly `raw` bytes.
pub(super) fn open<'a>(
    name: &'static str,
    section: Section<'a>,
    raw: u64,
) -> Result<LzmaReader<Section<'a>>> {
    let (lc, lp, pb) = PROPERTIES;
    let mut reader = LzmaReader::new(section, raw, lc, lp, pb, low32(dictionary(raw)), None)
        .map_err(|err| Error::malformed(name, "start", "a valid compressed stream", err))?;
    reader.set_relaxed_end_condition(false);
    Ok(reader)
}

#[cfg(feature = "make")]
pub(super) fn pack(raw: &[u8]) -> Vec<u8> {
    use lzma_rust2::{EncodeMode, LzmaOptions, LzmaWriter, MfType};
    use std::io::Write;
    let (lc, lp, pb) = PROPERTIES;
    let dictionary = low32(dictionary(crate::num::wide(raw.len())));
    let options = LzmaOptions::new(dictionary, lc, lp, pb, EncodeMode::Normal, 273, MfType::Bt4, 512);
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false).expect("options within bounds");
    writer.write_all(raw).expect("a Vec takes all bytes");
    writer.finish().expect("a Vec takes all bytes")
}
