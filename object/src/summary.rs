//! The summary of a remote: its refs and what it says about itself.

use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::refs::RefName;
use crate::variant::Dict;
use crate::variant::frame::{self, ArrayWriter, BYTES, U64, VARIANT};

/// Metadata keys of a summary.
pub mod key {
    /// `t`, big endian: when the summary was made, in seconds.
    pub const LAST_MODIFIED: &str = "ostree.summary.last-modified";
    /// `t`, big endian: when it stops being true, in seconds.
    pub const EXPIRES: &str = "ostree.summary.expires";
    /// `s`: mode of the repo.
    pub const MODE: &str = "ostree.summary.mode";
    /// `b`: whether deleted commits leave tombstones.
    pub const TOMBSTONES: &str = "ostree.summary.tombstone-commits";
    /// `b`: whether deltas are listed in files of their own.
    pub const INDEXED_DELTAS: &str = "ostree.summary.indexed-deltas";
    /// `a{sv}`: static deltas and the checksum of their superblock.
    pub const STATIC_DELTAS: &str = "ostree.static-deltas";
    /// `t`, big endian, in the metadata of a ref: time of its commit in seconds.
    pub const COMMIT_TIMESTAMP: &str = "ostree.commit.timestamp";
}

/// One ref in a summary: `(s(taya{sv}))`.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryRef {
    /// The ref.
    pub name: RefName,
    /// Size of the commit object in bytes (little endian on disk, unlike all other numbers).
    pub commit_size: u64,
    /// The commit.
    pub commit: Checksum,
    /// More about it.
    pub metadata: Dict,
}

/// A summary: `(a(s(taya{sv}))a{sv})`, refs ascending by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// The refs, ascending by name.
    pub refs: Vec<SummaryRef>,
    /// About the repo.
    pub metadata: Dict,
}

const WHAT: &str = "summary";

impl Summary {
    /// Reads and checks a summary.
    pub fn decode(bytes: &[u8]) -> Result<Summary> {
        let [refs, metadata] = frame::tuple(WHAT, bytes, [VARIANT, VARIANT])?;
        let mut summary = Summary { refs: Vec::new(), metadata: Dict::decode(WHAT, metadata)? };
        for entry in frame::array(WHAT, refs, 8)? {
            let [name, target] = frame::tuple(WHAT, entry?, [BYTES, VARIANT])?;
            let [size, commit, metadata] = frame::tuple(WHAT, target, [U64, BYTES, VARIANT])?;
            let name = RefName::parse(frame::string(WHAT, "ref", name)?)?;
            if let Some(last) = summary.refs.last().filter(|last| last.name >= name) {
                return Err(Error::malformed(
                    WHAT,
                    "refs",
                    "ascending order",
                    format_args!("{name} after {}", last.name),
                ));
            }
            let size = <[u8; 8]>::try_from(size)
                .map_err(|_| Error::malformed(WHAT, "size", "8 bytes", size.len()))?;
            summary.refs.push(SummaryRef {
                name,
                commit_size: u64::from_le_bytes(size),
                commit: Checksum::from_slice(commit)?,
                metadata: Dict::decode(WHAT, metadata)?,
            });
        }
        Ok(summary)
    }

    /// The summary's bytes. The refs must be ascending by name.
    pub fn encode(&self) -> Vec<u8> {
        let mut refs = ArrayWriter::default();
        for entry in &self.refs {
            let target = frame::join_tuple(&[
                (U64, &entry.commit_size.to_le_bytes()),
                (BYTES, &entry.commit.0),
                (VARIANT, &entry.metadata.encode()),
            ]);
            let name = frame::string_bytes(entry.name.as_str());
            refs.push(8, &frame::join_tuple(&[(BYTES, &name), (VARIANT, &target)]));
        }
        frame::join_tuple(&[(VARIANT, &refs.finish()), (VARIANT, &self.metadata.encode())])
    }

    /// The commit of a ref.
    pub fn commit(&self, name: &RefName) -> Option<&SummaryRef> {
        self.refs.iter().find(|entry| entry.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::Value;

    #[test]
    fn goes_there_and_back() {
        let mut metadata = Dict::new();
        metadata.set(key::LAST_MODIFIED, Value::U64(1_700_000_000u64.swap_bytes()));
        let entry = |name: &str| SummaryRef {
            name: RefName::parse(name).unwrap(),
            commit_size: 150,
            commit: Checksum::of(name.as_bytes()),
            metadata: metadata.clone(),
        };
        let summary = Summary { refs: vec![entry("a/b"), entry("os/main")], metadata: metadata.clone() };
        let bytes = summary.encode();
        let back = Summary::decode(&bytes).unwrap();
        assert_eq!(back, summary);
        assert_eq!(back.metadata.u64_be(key::LAST_MODIFIED), Some(1_700_000_000));
        for end in 0..bytes.len() {
            assert_ne!(Summary::decode(&bytes[..end]).as_ref(), Ok(&summary));
        }
        let unsorted = Summary { refs: vec![entry("b"), entry("a")], metadata };
        assert!(Summary::decode(&unsorted.encode()).unwrap_err().to_string().contains("ascending"));
    }
}
