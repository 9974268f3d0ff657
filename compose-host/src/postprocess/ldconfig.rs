//! `/etc/ld.so.cache`, made by the tree's own ldconfig when it has one.

use super::{Options, Outcome};
use crate::root::Root;
use crate::sandbox::Sandbox;
use anyhow::Result;

/// Runs `ldconfig`; its output depends on the libraries and `/etc/ld.so.conf` alone.
pub fn apply(tree: &Root, options: &Options, _: &mut Outcome) -> Result<()> {
    if !tree.exists("usr/sbin/ldconfig")? {
        return Ok(());
    }
    Sandbox::new(tree, options.timestamp)?.run(&["/usr/sbin/ldconfig"])?.check("ldconfig")
}
