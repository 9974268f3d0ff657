//! Debian's kernel image in the layout of `boot-location: modules`.
//!
//! `/boot/vmlinuz-KVER`, `config-KVER` and `System.map-KVER` become `/usr/lib/modules/KVER/{vmlinuz,config,System.map}`
//! and device trees become `/usr/lib/modules/KVER/dtb/`, as in Fedora's `kernel-core`, so that several kernels can be
//! installed side by side under one package name.

use anyhow::{Context, Result};

use super::deb::Deb;

/// Name of the kernel RPM.
pub const NAME: &str = "kernel-core";

/// What depmod writes; the RPM owns it without carrying it.
const MADE_BY_DEPMOD: [&str; 9] = [
    "modules.alias",
    "modules.alias.bin",
    "modules.dep",
    "modules.dep.bin",
    "modules.devname",
    "modules.softdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin.bin",
];

/// Kernel release of an image package (`6.1.0-50-cloud-amd64`).
fn release(deb: &Deb) -> Option<String> {
    deb.entries.iter().find_map(|entry| Some(entry.path.strip_prefix("/boot/System.map-")?.to_owned()))
}

/// Moves the files, renames the package and reduces its relations; returns the paths that depmod will write.
pub fn reshape(deb: &mut Deb) -> Result<Vec<String>> {
    let kver = release(deb).context("kernel package without /boot/System.map-*")?;
    let modules = format!("/usr/lib/modules/{kver}");
    let dtb = format!("/usr/lib/linux-image-{kver}");
    for entry in &mut deb.entries {
        if let Some(rest) = entry.path.strip_prefix("/boot/") {
            let file = rest.strip_suffix(&format!("-{kver}")).unwrap_or(rest);
            entry.path = format!("{modules}/{file}");
        } else if let Some(rest) = entry.path.strip_prefix(&dtb) {
            entry.path = format!("{modules}/dtb{rest}");
        }
    }
    deb.entries.retain(|entry| entry.path != "/boot" && !entry.path.starts_with("/usr/share/bug"));
    let image = deb.field("Package").to_owned();
    for field in ["Recommends", "Suggests", "Conflicts", "Breaks", "Replaces", "Pre-Depends"] {
        deb.control.remove(field);
    }
    deb.control.insert("Package".to_owned(), NAME.to_owned());
    deb.control.insert("Depends".to_owned(), "kmod, coreutils".to_owned());
    deb.control.insert("Provides".to_owned(), format!("kernel (= {}), {image}", deb.field("Version")));
    Ok(MADE_BY_DEPMOD.map(|file| format!("{modules}/{file}")).into())
}
