//! Targets for rootling-store: what a server sends as `.filez`, and files of the sysroot.

use std::cell::RefCell;

use rootling_object::{Checksum, FileHeader, Refspec, Xattrs};
use rootling_store::Repo;
use rootling_store::repo::RepoMode;
use rootling_store::sysroot::Origin;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "filez", run: filez, seeds: seeds_filez },
    Target { name: "origin", run: origin, seeds: || vec![b"[origin]\nrefspec=origin:os/main\n".to_vec()] },
];

thread_local! {
    static REPO: RefCell<Option<(tempfile::TempDir, Repo)>> = const { RefCell::new(None) };
}

/// Offers the bytes under a name they do not have: whatever they are, no object may come of it.
fn filez(data: &[u8]) {
    REPO.with_borrow_mut(|slot| {
        let (_, repo) = slot.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("temporary folder");
            let repo = Repo::create(dir.path(), RepoMode::BareUser).expect("repo");
            (dir, repo)
        });
        let txn = repo.transaction().expect("transaction");
        let result = txn.import_archive(&Checksum::of(b"some other object"), &"fuzz", &mut &*data);
        assert!(result.is_err(), "an object was taken under a wrong name");
    });
}

fn origin(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(origin) = Origin::parse(text, "origin")
        && let Ok(Some(refspec)) = origin.refspec()
    {
        assert_eq!(Refspec::parse(&refspec.to_string()).ok(), Some(refspec));
    }
}

fn seeds_filez() -> Vec<Vec<u8>> {
    let header = |mode, target: Option<&str>| FileHeader {
        uid: 0,
        gid: 0,
        mode,
        target: target.map(str::to_owned),
        xattrs: Xattrs::default(),
    };
    // one stored block of raw deflate: final, length and its complement
    let stored = [1, 5, 0, 250, 255, b'h', b'e', b'l', b'l', b'o'];
    vec![
        [header(0o100_644, None).encode_archive(5).as_slice(), &stored].concat(),
        header(0o120_777, Some("target")).encode_archive(0),
    ]
}
