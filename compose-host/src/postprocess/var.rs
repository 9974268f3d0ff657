//! `/var` belongs to the device: the tree says with tmpfiles.d what has to be there, and carries none of it.
//!
//! Directories become `d` lines and links `L` lines, sorted by path, in `usr/lib/tmpfiles.d/rootling-1-autovar.conf`. A
//! path that another file of the tree's tmpfiles.d has is left to that one. Files are left out, with a warning.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::{Context as _, Result};
use rustix::fs::FileType;
use std::collections::{BTreeSet, HashMap};

const DIRECTORY: &str = "usr/lib/tmpfiles.d";
const FILE: &str = "usr/lib/tmpfiles.d/rootling-1-autovar.conf";

/// Writes the file and empties `/var`.
pub fn apply(tree: &Root, _: &Options, outcome: &mut Outcome) -> Result<()> {
    let mut walk = Walk {
        tree,
        known: known(tree)?,
        users: names(tree, "etc/passwd")?,
        groups: names(tree, "etc/group")?,
        lines: Vec::new(),
        left_out: Vec::new(),
    };
    walk.directory("var")?;
    let (lines, left_out) = (walk.lines, walk.left_out);
    if let Some(first) = left_out.first() {
        outcome.warnings.push(format!("/var: {} files left out, the first is /{first}", left_out.len()));
    }
    if !lines.is_empty() {
        tree.write(FILE, lines.concat().as_bytes(), 0o644)?;
    }
    tree.remove("var")?;
    tree.make_dirs("var")?;
    Ok(())
}

struct Walk<'a> {
    tree: &'a Root,
    known: BTreeSet<String>,
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    lines: Vec<String>,
    left_out: Vec<String>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &str) -> Result<()> {
        for (name, kind) in self.tree.list(path)? {
            let path = format!("{path}/{name}");
            match kind {
                FileType::Directory => {
                    let line = self.line_of_directory(&path)?;
                    self.push(&path, line);
                    self.directory(&path)?;
                }
                FileType::Symlink => {
                    let target = self.tree.link_target(&path)?.context("link is gone")?;
                    self.push(
                        &path,
                        format!("L {} - - - - {}\n", quote(&format!("/{path}")), target.replace('%', "%%")),
                    );
                }
                _ => self.left_out.push(path),
            }
        }
        Ok(())
    }

    fn push(&mut self, path: &str, line: String) {
        if !self.known.contains(&format!("/{path}")) {
            self.lines.push(line);
        }
    }

    fn line_of_directory(&self, path: &str) -> Result<String> {
        let stat =
            self.tree.place(path)?.context("directory is gone")?.stat()?.context("directory is gone")?;
        let user = self.users.get(&stat.st_uid).cloned().unwrap_or_else(|| stat.st_uid.to_string());
        let group = self.groups.get(&stat.st_gid).cloned().unwrap_or_else(|| stat.st_gid.to_string());
        Ok(format!("d {} {:04o} {user} {group} - -\n", quote(&format!("/{path}")), stat.st_mode & 0o7777))
    }
}

/// Paths that the tree's tmpfiles.d makes already.
fn known(tree: &Root) -> Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    for (name, _) in tree.list(DIRECTORY)? {
        let path = format!("{DIRECTORY}/{name}");
        if !name.ends_with(".conf") || path == FILE {
            continue;
        }
        for line in tree.read_text(&path)?.unwrap_or_default().lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let makes =
                words.next().is_some_and(|kind| kind.starts_with(['d', 'D', 'L', 'C', 'f', 'v', 'q', 'Q']));
            if let (true, Some(path)) = (makes, words.next()) {
                known.insert(path.trim_matches('"').trim_end_matches('/').to_owned());
            }
        }
    }
    Ok(known)
}

/// Numbers to names of a passwd or group file; the first name of a number counts.
fn names(tree: &Root, path: &str) -> Result<HashMap<u32, String>> {
    let text = tree.read_text(path)?.unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    let mut names: HashMap<u32, String> = text.lines().rev().filter_map(parse).collect();
    names.insert(0, "root".to_owned());
    Ok(names)
}

/// A path as tmpfiles.d reads it: `%` doubled, in quotes when it has blanks or quotes.
fn quote(path: &str) -> String {
    let path = path.replace('%', "%%");
    if path.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\')) {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn directories_and_links_become_lines() {
        let (_dir, root) = tree(&[
            "var/lib/a/",
            "var/lib/a b/",
            "var/lib/100%/",
            "var/run -> ../run",
            "var/tmp/",
            "var/log/wtmp",
            "var/cache/known/",
            "usr/lib/tmpfiles.d/own.conf=# d /var/lib/a\nd /var/cache/known 0755 - - -\nx /var/tmp\n",
            "etc/passwd=a:x:7:7::/:\n",
            "etc/group=g:x:8:\n",
        ]);
        root.chmod("var/tmp", 0o1777).unwrap();
        let place = root.place("var/lib/a").unwrap().unwrap();
        let (uid, gid) = (rustix::process::Uid::from_raw(7), rustix::process::Gid::from_raw(8));
        rustix::fs::chownat(&place.dir, "a", Some(uid), Some(gid), rustix::fs::AtFlags::empty()).unwrap();
        let outcome = run(apply, &root, &Options::default()).unwrap();
        let expected = "d /var/cache 0755 root root - -\nd /var/lib 0755 root root - -\nd /var/lib/100%% 0755 root root - -\n\
                        d /var/lib/a 0755 a g - -\nd \"/var/lib/a b\" 0755 root root - -\nd /var/log 0755 root root - -\n\
                        L /var/run - - - - ../run\nd /var/tmp 1777 root root - -\n";
        assert_eq!(root.read_text(FILE).unwrap().unwrap(), expected);
        assert!(root.list("var").unwrap().is_empty());
        assert_eq!(outcome.warnings, ["/var: 1 files left out, the first is /var/log/wtmp"]);
    }
}
