//! Deltas of profile 1 as they were first published: every later reader must decode them to the same bytes.
//!
//! `UPDATE_GOLDEN=1` writes them anew, which is only right before a profile is in the field.

use crate::repo::{Repo, two_trees};
use crate::tree::{apply, delta};
use rootling_delta::{Backend, Header, Prelude};

#[test]
fn deltas_of_profile_1_decode_as_they_did() {
    for (backend, name) in [(Backend::Lzma, "trees.lzma"), (Backend::Deflate, "trees.deflate")] {
        let path = format!("{}/tests/golden/profile-1/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let (.., made) = delta(backend, false);
            let all: Vec<u8> = made.head.iter().chain(made.groups.iter().flatten()).copied().collect();
            std::fs::write(&path, all).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        let prelude = Prelude::decode(&bytes).unwrap();
        let (head, mut rest) = bytes.split_at(prelude.groups_at() as usize);
        let header = Header::decode(&prelude, &head[20..], 8 << 20).unwrap();
        let mut groups = Vec::new();
        for group in &header.groups {
            let (group, after) = rest.split_at(group.size() as usize);
            groups.push(group.to_vec());
            rest = after;
        }
        assert!(rest.is_empty(), "{name} ends with its last group");
        let mut device = Repo::default();
        let (old, new) = two_trees();
        let from = device.commit_files(&old);
        let (_, got) = apply(&device, Some(from), head, &groups).unwrap();
        assert_eq!(got, Repo::default().commit_files(&new), "{name}");
    }
}
