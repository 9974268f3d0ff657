//! We read what `ostree` wrote, in every mode.

use crate::common::{TIMESTAMP, ostree, their_commit, trees};
use rootling_object::{Checksum, Refspec};
use rootling_store::fsck::fsck;
use rootling_store::walk::walk;
use rootling_store::{Repo, checkout};

#[test]
fn every_mode_of_ostree_is_read_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    trees::odd(&tree);
    for mode in ["archive", "bare", "bare-user", "bare-user-only"] {
        let path = dir.path().join(mode);
        let commit = Checksum::parse_hex(&their_commit(&path, mode, &tree, "os/test", "1")).unwrap();
        ostree(&path, &["summary", "-u"]);
        let repo = Repo::open(&path).unwrap();
        assert_eq!(repo.read_ref(&Refspec::parse("os/test").unwrap()).unwrap(), Some(commit), "{mode}");
        let report = fsck(&repo, None, 2).unwrap();
        assert!(report.is_clean() && report.commits == 1, "{mode}: {:?}", report.problems);
        let head = repo.load_commit(&commit).unwrap();
        assert_eq!((head.timestamp, head.version()), (TIMESTAMP, Some("1")));
        let listed = ostree(&path, &["ls", "-R", "os/test", "--nul-filenames-only"]);
        let mut names: Vec<String> = Vec::new();
        walk(&repo, "", (&head.root_tree, &head.root_meta), &mut |path, _| {
            names.push(path.to_owned());
            Ok(true)
        })
        .unwrap();
        let mut expected: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
        expected.sort();
        names.sort();
        assert_eq!(names, expected, "{mode}");
        let summary = repo.read_summary().unwrap().unwrap();
        assert_eq!(summary.refs[0].commit, commit);
        assert_eq!(summary.encode(), std::fs::read(path.join("summary")).unwrap(), "{mode}");
        let out = dir.path().join(format!("out-{mode}"));
        let stats =
            checkout::checkout(&repo, (&head.root_tree, &head.root_meta), &out, Default::default()).unwrap();
        assert!(stats.dirs >= 5 && out.join("sticky dir/x").exists());
    }
}
