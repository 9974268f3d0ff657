//! What installation leaves behind and no two machines should share, or no two composes would repeat.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::Result;

/// Backups, locks and caches; the next run would write others.
const REMOVED: [&str; 13] = [
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/.pwd.lock",
    "etc/.updated",
    "var/.updated",
    "var/cache/ldconfig/aux-cache",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/catalog/database",
    "usr/share/info/dir.old",
];

/// Removes them, host keys included, and the dates of password changes.
pub fn apply(tree: &Root, _: &Options, outcome: &mut Outcome) -> Result<()> {
    for path in REMOVED {
        tree.remove(path)?;
    }
    for (name, _) in tree.list("etc/ssh")? {
        if name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub")) {
            tree.remove(&format!("etc/ssh/{name}"))?;
            outcome
                .warnings
                .push(format!("/etc/ssh/{name}: removed, every device would have had the same key"));
        }
    }
    if let Some(text) = tree.read_text("etc/shadow")? {
        let mode = tree
            .place("etc/shadow")?
            .and_then(|place| place.stat().ok().flatten())
            .map_or(0, |s| s.st_mode & 0o7777);
        let normal = without_dates(&text);
        if normal != text {
            rewrite(tree, "etc/shadow", &normal, mode)?;
        }
    }
    Ok(())
}

/// Keeps the owner: shadow may belong to a group.
fn rewrite(tree: &Root, path: &str, text: &str, mode: u32) -> Result<()> {
    let Some(place) = tree.place(path)? else { return Ok(()) };
    let owner = place.stat()?.map(|stat| (stat.st_uid, stat.st_gid)).unwrap_or_default();
    tree.write(path, text.as_bytes(), 0o600)?;
    let (uid, gid) = (rustix::process::Uid::from_raw(owner.0), rustix::process::Gid::from_raw(owner.1));
    let nofollow = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(&place.dir, place.name.as_str(), Some(uid), Some(gid), nofollow)?;
    tree.chmod(path, mode)
}

/// Empties the date of the last change (third field); 0 stays, it asks for a new password.
fn without_dates(shadow: &str) -> String {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(date) = fields.get_mut(2).filter(|date| **date != "0") {
            *date = "";
        }
        fields.join(":") + "\n"
    };
    shadow.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn removes_machine_state() {
        let (_dir, root) = tree(&[
            "etc/passwd-",
            "etc/.pwd.lock",
            "etc/ssh/ssh_host_rsa_key",
            "etc/ssh/ssh_host_rsa_key.pub",
            "etc/ssh/sshd_config",
            "etc/shadow=root:*:19000:0:99999:7:::\na:!:0:::::\nb:!::::::\n",
            "var/cache/ldconfig/aux-cache",
        ]);
        root.chmod("etc/shadow", 0o640).unwrap();
        let outcome = run(apply, &root, &Options::default()).unwrap();
        assert_eq!(outcome.warnings.len(), 2);
        let names: Vec<String> = root.list("etc").unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["shadow", "ssh"]);
        assert_eq!(root.list("etc/ssh").unwrap().len(), 1);
        assert_eq!(
            root.read_text("etc/shadow").unwrap().unwrap(),
            "root:*::0:99999:7:::\na:!:0:::::\nb:!::::::\n"
        );
        assert_eq!(
            root.place("etc/shadow").unwrap().unwrap().stat().unwrap().unwrap().st_mode & 0o7777,
            0o640
        );
        assert!(!root.exists("var/cache/ldconfig/aux-cache").unwrap());
    }
}
