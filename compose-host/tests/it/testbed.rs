//! The same, on the repositories of real packages that `cargo xtask testbed` makes.

use std::path::PathBuf;

use rootling_compose::manifest::Manifest;

use crate::dnf;
use crate::repos::TestRepo;
use crate::sets::ours;

/// The test bed's folder for amd64.
fn testbed() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/testbed/amd64");
    assert!(
        dir.join("base/repodata/repomd.xml").is_file(),
        "{} is not there, run cargo xtask testbed",
        dir.display()
    );
    dir
}

#[test]
fn sets_of_real_packages_equal_dnfs() {
    let dir = testbed();
    for (state, id) in [("base", "testbed-base"), ("sec", "testbed-sec")] {
        let manifest = Manifest::load(&dir.join(format!("manifest/{state}.yaml")), "x86_64").unwrap();
        let repos = [TestRepo { id, priority: None, dir: dir.join(state) }];
        let all: Vec<&str> = manifest.packages.iter().map(String::as_str).collect();
        let mut queries = Vec::new();
        for packages in [&all[..], &["openssh-server"], &["git", "lvm2"], &["python3", "curl", "vim", "sudo"]]
        {
            for weak in [false, true] {
                queries.push(dnf::Query { repos: &repos, packages, exclude: &[], weak });
            }
        }
        for (query, dnfs) in queries.iter().zip(dnf::install(&queries)) {
            let ours = ours(&repos, query.packages, &[], query.weak).expect("a solution");
            assert_eq!(Ok(ours), dnfs, "{state} {:?} weak {}", query.packages, query.weak);
        }
    }
}
