//! Targets for rootling-object. Everything in GVariant has one normal form: decode, then encode, gives the bytes back.

use rootling_object::{
    Checksum, Commit, Dict, DirMeta, DirTree, FileHeader, Keyfile, ObjectName, RefName, Refspec, Summary,
    Value, Xattrs, content, pkglist, summary::SummaryRef,
};

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "commit", run: commit, seeds: || vec![seed_commit().encode()] },
    Target { name: "dirtree", run: dirtree, seeds: || vec![seed_dirtree().encode(), vec![0]] },
    Target { name: "dirmeta", run: dirmeta, seeds: || vec![seed_dirmeta().encode()] },
    Target { name: "file_header", run: file_header, seeds: seeds_file_header },
    Target {
        name: "xattrs",
        run: xattrs,
        seeds: || vec![seed_xattrs().encode(), Xattrs::default().encode()],
    },
    Target { name: "summary", run: summary, seeds: || vec![seed_summary().encode()] },
    Target { name: "dict", run: dict, seeds: || vec![seed_dict().encode()] },
    Target { name: "value", run: value, seeds: seeds_value },
    Target { name: "pkglist", run: pkglist, seeds: || vec![seed_pkglist().encode()] },
    Target { name: "keyfile", run: keyfile, seeds: || vec![KEYFILE.to_vec()] },
    Target {
        name: "refspec",
        run: refspec,
        seeds: || vec![b"origin:os/x86_64/main".to_vec(), b"a.b-c_d".to_vec()],
    },
    Target { name: "object_name", run: object_name, seeds: seeds_object_name },
];

const KEYFILE: &[u8] =
    b"[core]\nrepo_version=1\nmode=bare\n# kept\n[remote \"origin\"]\nurl=http://h/\\s\nbranches=a;b\\;c;\n";

fn same(what: &str, input: &[u8], output: &[u8]) {
    assert_eq!(input, output, "{what}: not the same bytes after decode and encode");
}

fn commit(data: &[u8]) {
    if let Ok(commit) = Commit::decode(data) {
        same("commit", data, &commit.encode());
    }
}

fn dirtree(data: &[u8]) {
    if let Ok(tree) = DirTree::decode(data) {
        same("dirtree", data, &tree.encode());
        let names = tree.files.iter().map(|(name, _)| name).chain(tree.dirs.iter().map(|(name, ..)| name));
        for name in names {
            assert!(!name.is_empty() && name != "." && name != ".." && !name.contains('/'), "{name:?}");
        }
    }
}

fn dirmeta(data: &[u8]) {
    if let Ok(meta) = DirMeta::decode(data) {
        same("dirmeta", data, &meta.encode());
    }
}

fn file_header(data: &[u8]) {
    // the first byte chooses the form
    let Some((form, data)) = data.split_first() else { return };
    let body = |bytes: Vec<u8>| bytes.get(content::PREFIX_SIZE..).unwrap_or_default().to_vec();
    match form % 4 {
        0 => {
            if let Ok((header, size)) = FileHeader::decode_archive(data) {
                same("archive header", data, &body(header.encode_archive(size)));
            }
        }
        1 => {
            if let Ok(header) = FileHeader::decode_hashed(data) {
                same("hashed header", data, &body(header.encode_hashed()));
            }
        }
        2 => {
            if let Ok(header) = FileHeader::decode_ostreemeta(data) {
                same("ostreemeta", data, &header.encode_ostreemeta());
            }
        }
        _ => {
            if let Ok(length) = FileHeader::decode_prefix(data) {
                assert!(length <= content::MAX_HEADER_SIZE);
            }
        }
    }
}

fn xattrs(data: &[u8]) {
    if let Ok(xattrs) = Xattrs::decode("xattrs", data) {
        same("xattrs", data, &xattrs.encode());
    }
}

fn summary(data: &[u8]) {
    if let Ok(summary) = Summary::decode(data) {
        same("summary", data, &summary.encode());
    }
}

fn dict(data: &[u8]) {
    if let Ok(dict) = Dict::decode("dict", data) {
        same("dict", data, &dict.encode());
    }
}

fn value(data: &[u8]) {
    // type string, NUL, bytes
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let Some(kind) = text(&data[..end]) else { return };
    let bytes = &data[end + 1..];
    if let Ok(value) = Value::decode(kind, bytes) {
        assert_eq!(value.type_string(), kind);
        same("value", bytes, &value.encode());
    }
}

fn pkglist(data: &[u8]) {
    if let Ok(value) = Value::decode("a(sssss)", data)
        && let Ok(packages) = pkglist::decode(&value)
    {
        same("package list", data, &pkglist::encode(&packages).encode());
        assert!(pkglist::diff(&packages, &packages).is_empty());
    }
}

fn keyfile(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(keyfile) = Keyfile::parse(text) {
        let again = keyfile.to_string();
        let second = Keyfile::parse(&again).expect("what we write we can read");
        assert_eq!(second.to_string(), again);
    }
}

fn refspec(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(refspec) = Refspec::parse(text) {
        assert_eq!(refspec.to_string(), text);
        let path = refspec.name.as_str();
        assert!(
            !path.starts_with('/') && path.split('/').all(|part| part != ".." && !part.is_empty()),
            "{path:?}"
        );
    }
}

fn object_name(data: &[u8]) {
    let Some((directory, file)) = text(data).and_then(|text| text.split_once('/')) else { return };
    if let Some(name) = ObjectName::parse(directory, file) {
        assert_eq!(
            name.checksum.to_string(),
            format!("{directory}{}", file.split('.').next().unwrap_or_default())
        );
    }
    let _ = (Checksum::parse_hex(directory), Checksum::from_slice(data));
}

fn seed_dict() -> Dict {
    let mut dict = Dict(vec![]);
    dict.set("version", Value::str("12.5"));
    dict.set("rpmostree.rpmdb.pkglist", seed_pkglist());
    dict.set("ostree.ref-binding", Value::strv(["os/main", "os/next"]));
    dict.set("size", Value::U64(1 << 40));
    dict.set("signatures", Value::byte_arrays([vec![7; 64], vec![]]));
    dict
}

fn seed_commit() -> Commit {
    Commit {
        metadata: seed_dict(),
        parent: Some(Checksum::of(b"parent")),
        subject: "subject".into(),
        body: "body\n".into(),
        timestamp: 1_700_000_000,
        root_tree: Checksum::of(b"tree"),
        root_meta: Checksum::of(b"meta"),
    }
}

fn seed_dirtree() -> DirTree {
    DirTree {
        files: vec![("a".into(), Checksum::of(b"a")), ("b c".into(), Checksum::of(b"b"))],
        dirs: vec![("etc".into(), Checksum::of(b"t"), Checksum::of(b"m"))],
    }
}

fn seed_xattrs() -> Xattrs {
    Xattrs(vec![(b"security.capability".to_vec(), vec![1; 20]), (b"user.x".to_vec(), vec![])])
}

fn seed_dirmeta() -> DirMeta {
    DirMeta { uid: 0, gid: 8, mode: 0o042_775, xattrs: seed_xattrs() }
}

fn seeds_file_header() -> Vec<Vec<u8>> {
    let file = FileHeader { uid: 0, gid: 5, mode: 0o104_755, target: None, xattrs: seed_xattrs() };
    let link = FileHeader {
        mode: 0o120_777,
        target: Some("../usr/bin".into()),
        xattrs: Xattrs::default(),
        ..file.clone()
    };
    let mut seeds = Vec::new();
    for header in [file, link] {
        let size = if header.is_symlink() { 0 } else { 1234 };
        seeds.push([&[0], &header.encode_archive(size)[content::PREFIX_SIZE..]].concat());
        seeds.push([&[1], &header.encode_hashed()[content::PREFIX_SIZE..]].concat());
        seeds.push([&[2], header.encode_ostreemeta().as_slice()].concat());
        seeds.push([&[3], &header.encode_hashed()[..content::PREFIX_SIZE]].concat());
    }
    seeds
}

fn seed_summary() -> Summary {
    let name = |text: &str| RefName::parse(text).expect("a ref");
    let entry = |text: &str| SummaryRef {
        name: name(text),
        commit_size: 512,
        commit: Checksum::of(text.as_bytes()),
        metadata: seed_dict(),
    };
    Summary { refs: vec![entry("os/a"), entry("os/b")], metadata: seed_dict() }
}

fn seed_pkglist() -> Value {
    let package = |name: &str| pkglist::Package {
        name: name.into(),
        epoch: "1".into(),
        version: "2.0".into(),
        release: "3".into(),
        arch: "noarch".into(),
    };
    pkglist::encode(&[package("bash"), package("zlib")])
}

fn seeds_value() -> Vec<Vec<u8>> {
    let values = [
        Value::Tuple(vec![Value::Byte(1), Value::U64(2), Value::str("x"), Value::Bool(true)]),
        Value::Variant(Box::new(seed_pkglist())),
        Value::byte_arrays([vec![1, 2, 3]]),
        Value::DictEntry(Box::new(Value::str("k")), Box::new(Value::Variant(Box::new(Value::U32(5))))),
    ];
    values.iter().map(|value| [value.type_string().as_bytes(), &[0], &value.encode()].concat()).collect()
}

fn seeds_object_name() -> Vec<Vec<u8>> {
    let hex = Checksum::of(b"x").to_string();
    ["file", "filez", "commit", "dirtree"]
        .map(|ext| format!("{}/{}.{ext}", &hex[..2], &hex[2..]).into_bytes())
        .into()
}
