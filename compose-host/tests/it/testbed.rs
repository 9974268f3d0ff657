//! The same, on the repositories of real packages that `cargo xtask testbed` makes.

use std::path::PathBuf;

use rootling_compose::manifest::Manifest;

use crate::dnf;
use crate::repos::TestRepo;
use crate::sets::ours;

/// The test bed's folder for amd64.
fn testbed() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/testbed/amd64");
    assert!(dir.join("base/repodata/repomd.xml").is_file(), "{} is not there, run cargo xtask testbed", dir.display());
    dir
}

#[test]
fn sets_of_real_packages_equal_dnfs() {
    let dir = testbed();
    let mut wrong = Vec::new();
    for (state, id) in [("base", "testbed-base"), ("sec", "testbed-sec")] {
        let manifest = Manifest::load(&dir.join(format!("manifest/{state}.yaml")), "x86_64").unwrap();
        let repos = [TestRepo { id, priority: None, dir: dir.join(state) }];
        let all: Vec<&str> = manifest.packages.iter().map(String::as_str).collect();
        for packages in [&all[..], &["openssh-server"], &["git", "nginx"], &["python3", "curl", "lvm2", "sudo"]] {
            for weak in [false, true] {
                let ours = ours(&repos, packages, &[], weak);
                let dnfs = dnf::install(&repos, packages, &[], weak);
                let same = match (&ours, &dnfs) {
                    (Ok(ours), Ok(dnfs)) => ours == dnfs,
                    (Err(_), Err(_)) => true,
                    _ => false,
                };
                println!("{state} {} names, weak {weak}: {:?} packages", packages.len(), ours.as_ref().map(Vec::len));
                if !same {
                    wrong.push(format!("{state} {packages:?} weak {weak}\n ours: {ours:?}\n dnf: {dnfs:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
