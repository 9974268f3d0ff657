//! The kernel and all that belongs to it go to `/usr/lib/modules/KVER`, where a deployment looks for them.
//!
//! `vmlinuz`, `initramfs.img`, `dtb/`, and `config` and `System.map` for the record. What else packages put into `/boot`
//! goes to `/usr/lib/ostree-boot`; `/boot` itself is empty in a tree.

use super::{Options, Outcome, dracut};
use crate::initramfs::{self, Maker};
use crate::root::Root;
use crate::sandbox::Sandbox;
use anyhow::{Result, bail, ensure};
use rustix::fs::FileType;
use std::collections::BTreeSet;

/// Below it each kernel has a folder of its own.
pub(super) const MODULES: &str = "usr/lib/modules";

/// Moves the only kernel, runs depmod, and sees to the initramfs.
pub fn apply(tree: &Root, options: &Options, outcome: &mut Outcome) -> Result<()> {
    let versions = versions(tree)?;
    if versions.len() > 1 {
        let list: Vec<String> = versions.into_iter().collect();
        bail!("expected one kernel, got {}: {}", list.len(), list.join(", "));
    }
    if let Some(version) = versions.into_iter().next() {
        gather(tree, &version)?;
        depmod(tree, options, &version)?;
        let image = format!("{MODULES}/{version}/initramfs.img");
        match &options.initramfs {
            Some(Maker::Rootling(own)) => {
                tree.write(&image, &initramfs::make(tree, &version, own)?, 0o644)?;
            }
            Some(Maker::Dracut(args)) => dracut::make(tree, &version, args, options.timestamp)?,
            None => {}
        }
        ensure!(
            options.no_initramfs || tree.exists(&image)?,
            "kernel {version} has no initramfs: \
             expected initramfs: rootling or dracut, no-initramfs: true, or a file {image}"
        );
        outcome.kernel = Some(version);
    }
    for (name, kind) in tree.list("boot")? {
        let from = format!("boot/{name}");
        if kind == FileType::Symlink {
            tree.remove(&from)?;
        } else {
            tree.rename(&from, &format!("usr/lib/ostree-boot/{name}"))?;
        }
    }
    Ok(())
}

/// Versions of all kernels, in either place.
fn versions(tree: &Root) -> Result<BTreeSet<String>> {
    let mut versions = BTreeSet::new();
    for (name, kind) in tree.list(MODULES)? {
        if kind == FileType::Directory && tree.exists(&format!("{MODULES}/{name}/vmlinuz"))? {
            versions.insert(name);
        }
    }
    for (name, kind) in tree.list("boot")? {
        if let (FileType::RegularFile, Some(version)) = (kind, kernel_version(&name)) {
            versions.insert(version.to_owned());
        }
    }
    Ok(versions)
}

fn kernel_version(name: &str) -> Option<&str> {
    ["vmlinuz-", "vmlinux-", "Image-", "zImage-"].iter().find_map(|prefix| name.strip_prefix(prefix))
}

fn gather(tree: &Root, version: &str) -> Result<()> {
    let directory = format!("{MODULES}/{version}");
    for (from, to) in [
        (format!("boot/vmlinuz-{version}"), "vmlinuz"),
        (format!("boot/vmlinux-{version}"), "vmlinuz"),
        (format!("boot/Image-{version}"), "vmlinuz"),
        (format!("boot/zImage-{version}"), "vmlinuz"),
        (format!("boot/initramfs-{version}.img"), "initramfs.img"),
        (format!("boot/initrd.img-{version}"), "initramfs.img"),
        (format!("boot/config-{version}"), "config"),
        (format!("boot/System.map-{version}"), "System.map"),
        (format!("boot/dtb-{version}"), "dtb"),
        (format!("usr/lib/linux-image-{version}"), "dtb"),
    ] {
        let to = format!("{directory}/{to}");
        if !tree.exists(&from)? {
            continue;
        }
        // the same file in both places is one kernel
        if tree.exists(&to)?
            && tree.kind(&from)? != Some(FileType::Directory)
            && tree.read(&from)? == tree.read(&to)?
        {
            tree.remove(&from)?;
        } else {
            tree.rename(&from, &to)?;
        }
    }
    Ok(())
}

fn depmod(tree: &Root, options: &Options, version: &str) -> Result<()> {
    let found =
        ["usr/sbin/depmod", "usr/bin/depmod"].into_iter().find(|path| tree.exists(path).unwrap_or(false));
    let Some(program) = found else { return Ok(()) };
    let program = format!("/{program}");
    Sandbox::new(tree, options.timestamp)?.run(&[&program, "-a", version])?.check("depmod")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{apply as run, tree};
    use super::*;

    fn options() -> Options {
        Options { no_initramfs: true, ..Options::default() }
    }

    #[test]
    fn gathers_what_lies_in_boot() {
        let (_dir, root) = tree(&[
            "boot/vmlinuz-6.1=k",
            "boot/config-6.1",
            "boot/System.map-6.1",
            "boot/initramfs-6.1.img=i",
            "boot/vmlinuz -> vmlinuz-6.1",
            "boot/grub/grub.cfg",
            "usr/lib/linux-image-6.1/a.dtb",
            "usr/lib/modules/6.1/kernel/x.ko",
            "usr/lib/modules/5.0/kernel/left.ko",
        ]);
        let outcome = run(apply, &root, &Options::default()).unwrap();
        assert_eq!(outcome.kernel.as_deref(), Some("6.1"));
        for path in ["vmlinuz", "config", "System.map", "initramfs.img", "dtb/a.dtb"] {
            assert!(root.exists(&format!("usr/lib/modules/6.1/{path}")).unwrap(), "{path}");
        }
        assert!(root.list("boot").unwrap().is_empty());
        assert!(root.exists("usr/lib/ostree-boot/grub/grub.cfg").unwrap());
    }

    #[test]
    fn wants_exactly_one_kernel_and_an_initramfs() {
        let (_dir, root) = tree(&["usr/lib/modules/1/vmlinuz", "boot/vmlinuz-2"]);
        let error = run(apply, &root, &options()).unwrap_err();
        assert_eq!(error.to_string(), "expected one kernel, got 2: 1, 2");
        let (_dir, root) = tree(&["usr/lib/modules/1/vmlinuz=same", "boot/vmlinuz-1=same"]);
        let error = run(apply, &root, &Options::default()).unwrap_err();
        assert!(error.to_string().contains("kernel 1 has no initramfs"), "{error}");
        assert_eq!(run(apply, &root, &options()).unwrap().kernel.as_deref(), Some("1"));
        let (_dir, root) = tree(&["usr/bin/sh"]);
        assert_eq!(run(apply, &root, &Options::default()).unwrap().kernel, None);
    }
}
