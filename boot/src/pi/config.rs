//! `config.txt` of a slot, and the kernel arguments beside the kernel.
//!
//! ```text
//! dtparam=audio=on                                  the board's own lines
//! # rootling: CHECKSUM.SERIAL                       from here on ours, to the end
//! [all]
//! os_prefix=rootling/0123456789abcdef.0/            where the tree brings device trees: they and overlays/ are there
//! kernel=vmlinuz                                    without them each name is absolute: /rootling/...
//! initramfs initramfs.img followkernel
//! cmdline=cmdline.txt
//! [tryboot]
//! cmdline=tryboot.txt                               the same arguments, and the one that marks a try
//! ```
//! The firmware takes the last line that holds, and reads 98 characters of each. It ignores an `os_prefix` under which
//! it finds no kernel and device tree. Source: Raspberry Pi documentation of config.txt and its conditional filters.

use crate::bootlink::LINKS;
use crate::kernel::{DeviceTree, PREPARE_ROOT, VMLINUZ};
use crate::loader::{rebooting_entry, tried_entry};
use crate::menu::Item;

/// The file's name on the partition.
pub const CONFIG: &str = "config.txt";
/// The folder that holds one folder, that of the deployment.
pub const FOLDER: &str = "rootling";
/// The arguments of a confirmed system, in that folder.
pub const CMDLINE: &str = "cmdline.txt";
/// The arguments of a try.
pub const TRIED_CMDLINE: &str = "tryboot.txt";

pub(super) const INITRAMFS: &str = "initramfs.img";
pub(super) const DEVICETREE: &str = "devicetree.dtb";

const OURS: &str = "# rootling: ";
/// Of the checksum in a folder's name: a line has to stay short.
const DIGITS: usize = 16;
/// What the board's own lines must not say before ours.
const NOT_KEPT: [&str; 8] = [
    "kernel",
    "initramfs",
    "ramfsfile",
    "auto_initramfs",
    "cmdline",
    "os_prefix",
    "device_tree",
    "upstream_kernel",
];

/// A deployment's folder, below the partition.
pub fn folder(deployment: &str) -> String {
    let (checksum, serial) = deployment.split_once('.').unwrap_or((deployment, "0"));
    format!("{FOLDER}/{}.{serial}", checksum.get(..DIGITS).unwrap_or(checksum))
}

/// The deployment that a config.txt boots.
pub fn deployment(config: &str) -> Option<&str> {
    config.lines().filter_map(|line| line.strip_prefix(OURS)).next_back().map(str::trim_end)
}

/// The file for a deployment, `base` with the board's own lines; what `base` says of another deployment goes.
pub fn config(base: &str, item: &Item) -> String {
    let key = |line: &str| line.trim().split(['=', ' ']).next().unwrap_or_default().to_string();
    let own = base.lines().take_while(|line| !line.starts_with(OURS));
    let mut text = String::new();
    for line in own.map(|line| line.trim_end_matches('\r')).filter(|l| !NOT_KEPT.contains(&key(l).as_str())) {
        text.push_str(line);
        text.push('\n');
    }
    let folder = folder(&item.deployment);
    text.push_str(&format!("{OURS}{}\n[all]\n", item.deployment));
    let prefix = match item.kernel.devicetree {
        DeviceTree::Dir => {
            text.push_str(&format!("os_prefix={folder}/\n"));
            String::new()
        }
        DeviceTree::None | DeviceTree::File => format!("/{folder}/"),
    };
    text.push_str(&format!("kernel={prefix}{VMLINUZ}\n"));
    if item.kernel.initramfs.is_some() {
        text.push_str(&format!("initramfs {prefix}{INITRAMFS} followkernel\n"));
    }
    if item.kernel.devicetree == DeviceTree::File {
        text.push_str(&format!("device_tree={prefix}{DEVICETREE}\n"));
    }
    text.push_str(&format!("cmdline={prefix}{CMDLINE}\n[tryboot]\ncmdline={prefix}{TRIED_CMDLINE}\n"));
    text
}

/// The line of arguments; a panic ends in a reboot also after the confirm, which does not write it again.
pub fn cmdline(item: &Item, tried: bool) -> String {
    let mut args = item.kernel_args();
    let link = format!("/{LINKS}/{}", item.deployment);
    if item.kernel.initramfs.is_none() {
        args.set("init", &format!("{link}/{PREPARE_ROOT}"));
    }
    args.set("ostree", &link);
    let mut entry = item.entry.clone();
    entry.set("options", &args.to_string());
    let entry = if tried { tried_entry(&entry) } else { rebooting_entry(&entry) };
    format!("{}\n", entry.get("options").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KernelFiles;
    use crate::menu::tests::item;

    #[test]
    fn names_a_deployment_and_keeps_the_boards_lines() {
        let name = format!("{}.1", "0123456789abcdef".repeat(4));
        let mut new = item("os", &name, 7, "1", "root=LABEL=r rw ostree=/ostree/boot.0/os/x/0");
        let base = "dtparam=audio=on\r\nkernel=old.img\n[pi4]\ninitramfs old followkernel\narm_boost=1\n# rootling: x.0\n[all]\n";
        let text = config(base, &new);
        assert_eq!(
            text,
            format!(
                "dtparam=audio=on\n[pi4]\narm_boost=1\n# rootling: {name}\n[all]\n\
                 kernel=/rootling/0123456789abcdef.1/vmlinuz\n\
                 initramfs /rootling/0123456789abcdef.1/initramfs.img followkernel\n\
                 cmdline=/rootling/0123456789abcdef.1/cmdline.txt\n[tryboot]\n\
                 cmdline=/rootling/0123456789abcdef.1/tryboot.txt\n"
            )
        );
        assert_eq!(deployment(&text), Some(name.as_str()));
        assert_eq!(config(&text, &new), text, "ours is replaced, not added");
        assert_eq!((deployment(base), deployment("kernel=x\n")), (Some("x.0"), None));
        assert!(text.lines().filter(|line| !line.starts_with('#')).all(|line| line.len() <= 98), "{text}");

        new.kernel = KernelFiles::find("6.1", [("vmlinuz", false), ("dtb", true)]);
        let text = config("", &new);
        assert!(
            text.contains("os_prefix=rootling/0123456789abcdef.1/\nkernel=vmlinuz\ncmdline=cmdline.txt\n")
        );
        new.kernel = KernelFiles::find("6.1", [("vmlinuz", false), ("devicetree", false)]);
        assert!(config("", &new).contains("\ndevice_tree=/rootling/0123456789abcdef.1/devicetree.dtb\n"));
    }

    #[test]
    fn every_try_has_a_panic_timeout_and_is_marked() {
        let mut new = item("os", "aa.0", 7, "1", "root=LABEL=r ostree=/ostree/boot.0/os/x/0");
        assert_eq!(cmdline(&new, false), "root=LABEL=r ostree=/ostree/links/aa.0 panic=10\n");
        assert_eq!(cmdline(&new, true), "root=LABEL=r ostree=/ostree/links/aa.0 rootling.trial panic=10\n");
        new.kernel.initramfs = None;
        let init = "init=/ostree/links/aa.0/usr/lib/ostree/ostree-prepare-root";
        assert!(cmdline(&new, false).contains(init));
    }
}
