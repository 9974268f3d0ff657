//! `default-target`: what systemd boots into.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::{Result, ensure};

/// Links `/etc/systemd/system/default.target` to the unit.
pub fn apply(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    let Some(target) = &options.default_target else { return Ok(()) };
    let unit = format!("usr/lib/systemd/system/{target}");
    ensure!(
        !target.contains('/') && tree.exists(&unit)?,
        "{target}: expected a unit, got nothing at /{unit}"
    );
    tree.remove("etc/systemd/system/default.target")?;
    tree.symlink(&format!("/{unit}"), "etc/systemd/system/default.target")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn links_the_target_and_refuses_one_that_is_not_there() {
        let (_dir, root) =
            tree(&["usr/lib/systemd/system/a.target", "etc/systemd/system/default.target -> old"]);
        let options = |name: &str| Options { default_target: Some(name.into()), ..Options::default() };
        run(apply, &root, &options("a.target")).unwrap();
        let link = root.link_target("etc/systemd/system/default.target").unwrap().unwrap();
        assert_eq!(link, "/usr/lib/systemd/system/a.target");
        let error = run(apply, &root, &options("b.target")).unwrap_err();
        assert!(error.to_string().contains("b.target: expected a unit"), "{error}");
    }
}
