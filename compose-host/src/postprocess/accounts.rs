//! passwd and group: the system's accounts go to `/usr/lib`, where an update can change them.
//!
//! With nss-altfiles in the tree, `/etc/passwd` keeps root alone and `nsswitch.conf` asks both. Without it glibc would
//! not find the accounts, so `/etc` keeps them all as well; an account added on the device then freezes that file.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::Result;
use rustix::fs::FileType;

const LIBRARY: &str = "libnss_altfiles.so.2";

/// Splits both files.
pub fn apply(tree: &Root, _: &Options, outcome: &mut Outcome) -> Result<()> {
    let altfiles = has_altfiles(tree)?;
    for name in ["passwd", "group"] {
        let path = format!("etc/{name}");
        let Some(text) = tree.read_text(&path)? else { continue };
        let (root, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("root:"));
        let lines = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        tree.write(&format!("usr/lib/{name}"), lines(&others).as_bytes(), 0o644)?;
        if altfiles {
            tree.write(&path, lines(&root).as_bytes(), 0o644)?;
        }
    }
    if !altfiles {
        outcome
            .warnings
            .push("no nss-altfiles in the tree: accounts stay in /etc/passwd and /etc/group too".to_owned());
    } else if let Some(text) = tree.read_text("etc/nsswitch.conf")? {
        tree.write("etc/nsswitch.conf", with_altfiles(&text).as_bytes(), 0o644)?;
    }
    Ok(())
}

fn has_altfiles(tree: &Root) -> Result<bool> {
    for directory in ["usr/lib", "usr/lib64"] {
        if tree.exists(&format!("{directory}/{LIBRARY}"))? {
            return Ok(true);
        }
        for (name, kind) in tree.list(directory)? {
            if kind == FileType::Directory
                && name.contains("-linux-")
                && tree.exists(&format!("{directory}/{name}/{LIBRARY}"))?
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// `passwd: files` becomes `passwd: files altfiles`, and so for group.
fn with_altfiles(nsswitch: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = matches!(words.first(), Some(&("passwd:" | "group:")));
        if !ours || words.contains(&"altfiles") {
            return format!("{line}\n");
        }
        line.replacen("files", "files altfiles", 1) + "\n"
    };
    nsswitch.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    const PASSWD: &str = "etc/passwd=root:x:0:0::/root:/bin/sh\nbin:x:2:2::/bin:/bin/false\n";

    #[test]
    fn root_alone_stays_when_altfiles_finds_the_rest() {
        let (_dir, root) = tree(&[
            PASSWD,
            "etc/group=root:x:0:\nbin:x:2:\n",
            "usr/lib/x86_64-linux-gnu/libnss_altfiles.so.2",
            "etc/nsswitch.conf=# x\npasswd:   files systemd\ngroup: files\nshadow: files\n",
        ]);
        let outcome = run(apply, &root, &Options::default()).unwrap();
        assert!(outcome.warnings.is_empty());
        assert_eq!(root.read_text("etc/passwd").unwrap().unwrap(), "root:x:0:0::/root:/bin/sh\n");
        assert_eq!(root.read_text("usr/lib/passwd").unwrap().unwrap(), "bin:x:2:2::/bin:/bin/false\n");
        assert_eq!(root.read_text("usr/lib/group").unwrap().unwrap(), "bin:x:2:\n");
        let nsswitch = root.read_text("etc/nsswitch.conf").unwrap().unwrap();
        assert_eq!(nsswitch, "# x\npasswd:   files altfiles systemd\ngroup: files altfiles\nshadow: files\n");
        run(apply, &root, &Options::default()).unwrap();
        assert_eq!(root.read_text("etc/nsswitch.conf").unwrap().unwrap(), nsswitch);
    }

    #[test]
    fn all_stay_without_altfiles() {
        let (_dir, root) = tree(&[PASSWD]);
        let outcome = run(apply, &root, &Options::default()).unwrap();
        assert!(outcome.warnings[0].contains("no nss-altfiles"));
        assert_eq!(root.read_text("etc/passwd").unwrap().unwrap().lines().count(), 2);
        assert_eq!(root.read_text("usr/lib/passwd").unwrap().unwrap().lines().count(), 1);
    }
}
