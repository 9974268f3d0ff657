//! `boot/extlinux/extlinux.conf`: a menu that U-Boot's `sysboot` and syslinux read, with no counting.

use super::EXTLINUX;
use super::detect::Scene;
use super::family::{Family, Listed};
use crate::error::Result;
use crate::sysroot::Locked;
use rootling_boot::loader::{Change, Promises};
use rootling_boot::uboot::{self, EXTLINUX_MENU, EXTLINUX_PROMISES};
use std::path::Path;
use std::sync::Arc;

/// There is nothing to know about it.
struct Extlinux;

/// It is there because somebody says so, or because its menu is a link.
pub(super) fn open(_: &Scene<'_>) -> Result<Arc<dyn Family>> {
    Ok(Arc::new(Extlinux))
}

impl Family for Extlinux {
    fn promises(&self, _: &Path) -> Result<Promises> {
        Ok(EXTLINUX_PROMISES)
    }

    fn files(&self, list: &mut Listed<'_>) -> Result<Vec<(&'static str, String)>> {
        Ok(vec![(EXTLINUX_MENU, uboot::extlinux(&list.entries, list.trial.is_some(), 5))])
    }

    fn install(&self, sysroot: &mut Locked, _: u32) -> Result<()> {
        sysroot.take_into_use("boot/extlinux", &Change::link("../loader/extlinux.conf", EXTLINUX))
    }

    fn own_files(&self) -> &'static [&'static str] {
        &["extlinux/extlinux.conf", "loader/extlinux.conf"]
    }
}
