//! Packs the tokens of several files into one group.

use super::file::Coded;
use crate::backend::{self, Backend, StreamHeader};
use crate::group::GroupHeader;
use rootling_object::Checksum;

/// A group and its entry in the header.
#[derive(Debug, Clone)]
pub struct Packed {
    /// For the header.
    pub header: GroupHeader,
    /// To be fetched.
    pub bytes: Vec<u8>,
}

/// Packs `files`, in the order in which they will be decoded.
pub fn pack<'a>(backend: Backend, files: impl IntoIterator<Item = &'a Coded>) -> Packed {
    let mut raw: [Vec<u8>; 4] = Default::default();
    let mut count = 0;
    for file in files {
        count += 1;
        let streams = [&file.control, &file.gaps, &file.values, &file.inserts];
        for (all, one) in raw.iter_mut().zip(streams) {
            all.extend_from_slice(one);
        }
    }
    let mut bytes = Vec::new();
    let streams = raw.map(|raw| {
        let packed = backend::pack(backend, &raw);
        bytes.extend_from_slice(&packed);
        StreamHeader { packed: packed.len() as u64, raw: raw.len() as u64 }
    });
    let checksum = Checksum::of(&bytes).0;
    Packed { header: GroupHeader { checksum, files: count, streams }, bytes }
}
