//! Random values go there and back; random and damaged bytes never panic, and what is accepted is in normal form:
//! encoding it again gives the same bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use rootling_object::commit::Commit;
use rootling_object::variant::{Dict, Value};
use rootling_object::{Checksum, DirMeta, DirTree, FileHeader, Keyfile, Refspec, Summary, Xattrs};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<u8>().prop_map(Value::Byte),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u64>().prop_map(Value::U64),
        "[^\0]{0,40}".prop_map(Value::Str),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            inner.clone().prop_map(|item| Value::Variant(Box::new(item))),
            (inner.clone(), 0usize..40).prop_map(|(item, count)| {
                // An element `y` is an `ay`, which has a variant of its own.
                match item {
                    Value::Byte(byte) => Value::Bytes(vec![byte; count]),
                    item => Value::Array { element: item.type_string(), items: vec![item; count] },
                }
            }),
            inner.prop_map(|item| Value::Maybe { element: item.type_string(), item: Some(Box::new(item)) }),
        ]
    })
}

fn dict() -> impl Strategy<Value = Dict> {
    proptest::collection::btree_map("[a-z.]{1,20}", value(), 0..6)
        .prop_map(|entries| Dict(entries.into_iter().rev().collect()))
}

fn checksum() -> impl Strategy<Value = Checksum> {
    any::<[u8; 32]>().prop_map(Checksum)
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    proptest::collection::btree_map(vec(1u8.., 1..20), vec(any::<u8>(), 0..300), 0..5)
        .prop_map(|pairs| Xattrs(pairs.into_iter().collect()))
}

fn commit() -> impl Strategy<Value = Commit> {
    (
        dict(),
        proptest::option::of(checksum()),
        "[^\0]{0,40}",
        "[^\0]{0,300}",
        any::<u64>(),
        checksum(),
        checksum(),
    )
        .prop_map(|(metadata, parent, subject, body, timestamp, root_tree, root_meta)| Commit {
            metadata,
            parent,
            subject,
            body,
            timestamp,
            root_tree,
            root_meta,
        })
}

fn dirtree() -> impl Strategy<Value = DirTree> {
    proptest::collection::btree_map("[^/\0.]{1,30}", (any::<bool>(), checksum(), checksum()), 0..40).prop_map(
        |names| {
            let mut tree = DirTree::default();
            for (name, (file, contents, meta)) in names {
                match file {
                    true => tree.files.push((name, contents)),
                    false => tree.dirs.push((name, contents, meta)),
                }
            }
            tree
        },
    )
}

/// Every decoder accepts only what it would write itself.
fn only_normal_form(bytes: &[u8]) {
    if let Ok(read) = Commit::decode(bytes) {
        assert_eq!(read.encode(), bytes, "commit");
    }
    if let Ok(read) = DirTree::decode(bytes) {
        assert_eq!(read.encode(), bytes, "dirtree");
    }
    if let Ok(read) = DirMeta::decode(bytes) {
        assert_eq!(read.encode(), bytes, "dirmeta");
    }
    if let Ok((read, size)) = FileHeader::decode_archive(bytes) {
        assert_eq!(&read.encode_archive(size)[8..], bytes, "archive header");
    }
    if let Ok(read) = FileHeader::decode_hashed(bytes) {
        assert_eq!(&read.encode_hashed()[8..], bytes, "hashed header");
    }
    if let Ok(read) = FileHeader::decode_ostreemeta(bytes) {
        assert_eq!(read.encode_ostreemeta(), bytes, "ostreemeta");
    }
    if let Ok(read) = Summary::decode(bytes) {
        assert_eq!(read.encode(), bytes, "summary");
    }
    if let Ok(read) = Dict::decode("dict", bytes) {
        assert_eq!(read.encode(), bytes, "dict");
    }
    for text in ["v", "as", "aay", "a(sssss)", "(uua{sv})", "mas", "at", "(tsy)"] {
        if let Ok(read) = Value::decode(text, bytes) {
            assert_eq!(read.encode(), bytes, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_go_there_and_back(value in value()) {
        let bytes = value.encode();
        prop_assert_eq!(Value::decode(&value.type_string(), &bytes), Ok(value));
    }

    #[test]
    fn objects_go_there_and_back(commit in commit(), tree in dirtree(), xattrs in xattrs(), mode in 0u32..0o10000) {
        prop_assert_eq!(Commit::decode(&commit.encode()), Ok(commit));
        prop_assert_eq!(DirTree::decode(&tree.encode()), Ok(tree));
        let meta = DirMeta { uid: 1, gid: 2, mode: 0o40000 | mode, xattrs: xattrs.clone() };
        prop_assert_eq!(DirMeta::decode(&meta.encode()), Ok(meta));
        let file = FileHeader { uid: 1, gid: 2, mode: 0o100000 | mode, target: None, xattrs };
        prop_assert_eq!(FileHeader::decode_archive(&file.encode_archive(7)[8..]), Ok((file.clone(), 7)));
        prop_assert_eq!(FileHeader::decode_hashed(&file.encode_hashed()[8..]), Ok(file));
    }

    #[test]
    fn random_bytes_are_refused_or_normal(bytes in vec(any::<u8>(), 0..200)) {
        only_normal_form(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Keyfile::parse(&text), Refspec::parse(&text), Checksum::parse_hex(&text));
    }

    #[test]
    fn damaged_objects_are_refused_or_normal(
        commit in commit(),
        tree in dirtree(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [commit.encode(), tree.encode(), commit.metadata.encode()] {
            if bytes.is_empty() {
                continue;
            }
            let index = at.index(bytes.len());
            bytes[index] = with;
            only_normal_form(&bytes);
            only_normal_form(&bytes[..cut.index(bytes.len())]);
        }
    }
}
