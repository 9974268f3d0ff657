//! `/etc` becomes `/usr/etc`, the defaults that a device merges its own changes into.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::{Result, bail};

/// Moves it; a tree must not have both.
pub fn apply(tree: &Root, _: &Options, _: &mut Outcome) -> Result<()> {
    if !tree.exists("etc")? {
        return Ok(());
    }
    if let Some((name, _)) = tree.list("usr/etc")?.first() {
        bail!("expected no /usr/etc beside /etc, got one with {name}");
    }
    tree.remove("usr/etc")?;
    tree.rename("etc", "usr/etc")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn moves_and_refuses_two() {
        let (_dir, root) = tree(&["etc/a", "usr/etc/"]);
        run(apply, &root, &Options::default()).unwrap();
        assert!(root.exists("usr/etc/a").unwrap() && !root.exists("etc").unwrap());
        root.write("etc/b", b"", 0o644).unwrap();
        let error = run(apply, &root, &Options::default()).unwrap_err();
        assert!(error.to_string().contains("got one with a"), "{error}");
    }
}
