//! Deltas of each profile as they were first published: every later reader must decode them to the same bytes.
//!
//! `UPDATE_GOLDEN=N` writes those of profile N anew, which is only right before it is in the field.

use crate::arm::two_trees_of_arm;
use crate::repo::{Files, Repo, two_trees, two_trees_of_profile_2, two_trees_of_profile_3};
use crate::tree::{apply, delta_of};
use rootling_delta::{Backend, Header, Prelude};

#[test]
fn deltas_of_profile_1_decode_as_they_did() {
    decode_as_they_did(1, two_trees);
}

#[test]
fn deltas_of_profile_2_decode_as_they_did() {
    decode_as_they_did(2, two_trees_of_profile_2);
}

#[test]
fn deltas_of_profile_3_decode_as_they_did() {
    decode_as_they_did(3, two_trees_of_profile_3);
}

#[test]
fn deltas_of_profile_3_for_arm_decode_as_they_did() {
    decode_named(3, "arm", two_trees_of_arm);
}

fn decode_as_they_did(profile: u32, trees: fn() -> (Files, Files)) {
    decode_named(profile, "trees", trees);
}

fn decode_named(profile: u32, name: &str, trees: fn() -> (Files, Files)) {
    for (backend, end) in [(Backend::Lzma, "lzma"), (Backend::Deflate, "deflate")] {
        let name = format!("{name}.{end}");
        let path = format!("{}/tests/golden/profile-{profile}/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|wanted| *wanted == *profile.to_string()) {
            let (.., made) = delta_of(trees(), backend, false);
            let all: Vec<u8> = made.head.iter().chain(made.groups.iter().flatten()).copied().collect();
            std::fs::write(&path, all).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        let prelude = Prelude::decode(&bytes).unwrap();
        let (head, mut rest) = bytes.split_at(prelude.groups_at() as usize);
        let header = Header::decode(&prelude, &head[20..], 8 << 20).unwrap();
        assert_eq!(header.profile, profile, "{name}");
        let mut groups = Vec::new();
        for group in &header.groups {
            let (group, after) = rest.split_at(group.size() as usize);
            groups.push(group.to_vec());
            rest = after;
        }
        assert!(rest.is_empty(), "{name} ends with its last group");
        let mut device = Repo::default();
        let (old, new) = trees();
        let from = device.commit_files(&old);
        let (_, got) = apply(&device, Some(from), head, &groups).unwrap();
        assert_eq!(got, Repo::default().commit_files(&new), "{name}");
    }
}
