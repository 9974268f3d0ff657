//! Targets for rootling-delta.

use rootling_delta::{Header, Prelude};

use crate::Target;

pub const TARGETS: &[Target] = &[Target { name: "delta_header", run: delta_header, seeds }];

fn seeds() -> Vec<Vec<u8>> {
    let golden = [
        include_bytes!("../../delta/tests/golden/profile-1/trees.deflate").as_slice(),
        include_bytes!("../../delta/tests/golden/profile-1/trees.lzma"),
    ];
    golden.map(<[u8]>::to_vec).into()
}

/// What a device looks at before it fetches any group.
fn delta_header(data: &[u8]) {
    let Ok(prelude) = Prelude::decode(data) else { return };
    let end = usize::try_from(prelude.groups_at()).unwrap_or(usize::MAX);
    let Some(packed) = data.get(rootling_delta::header::PRELUDE..end) else { return };
    if let Ok(header) = Header::decode(&prelude, packed) {
        assert!(prelude.header.raw <= u64::from(rootling_delta::header::MAX_HEADER));
        let _ = header.to;
    }
}
