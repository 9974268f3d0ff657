//! `machineid-compat`: an empty `/etc/machine-id`, or none.

use super::{Options, Outcome};
use crate::root::Root;
use anyhow::Result;

/// No tree carries an id of its own. An empty file (the default) keeps systemd from taking each boot for the first; no
/// file lets the first boot be one (`ConditionFirstBoot`, presets).
pub fn apply(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    tree.remove("etc/machine-id")?;
    tree.remove("var/lib/dbus/machine-id")?;
    if options.machineid_compat { tree.write("etc/machine-id", b"", 0o444) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    #[test]
    fn no_id_stays() {
        for compat in [true, false] {
            let (_dir, root) = tree(&["etc/machine-id=0123456789abcdef0123456789abcdef\n"]);
            run(apply, &root, &Options { machineid_compat: compat, ..Options::default() }).unwrap();
            let expected = compat.then(Vec::new);
            assert_eq!(root.read("etc/machine-id").unwrap(), expected);
        }
    }
}
