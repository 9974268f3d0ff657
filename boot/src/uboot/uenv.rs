//! `loader/uEnv.txt`: the deployments as variables that a boot script imports.
//!
//! ```text
//! kernel_image=  ramdisk_image=  fdt_file=  fdtdir=  bootargs=     the first deployment
//! the first deployment's own usr/lib/ostree-boot/uEnv.txt, and an empty line
//! kernel_image2= ...                                               the second, and so on
//! ```
//! Paths begin with `/boot`, also where those of the entries do not: `boot/boot -> .` makes both right. Source and
//! proof: what `ostree admin deploy` 2022.7 writes.

use crate::Result;
use crate::entry::Entry;
use crate::error::Error;
use crate::loader::tried_entry;

/// The file's name in a loader folder.
pub const UENV: &str = "uEnv.txt";

/// The text for a list of entries, the first on trial or not; `own` is the first deployment's own file.
pub fn uenv(entries: &[Entry], on_trial: bool, own: &str) -> Result<String> {
    let mut text = String::new();
    // altbootcmd boots what is second, also where a cut during the first arming left U-Boot counting
    let alone = entries.first().filter(|_| entries.len() == 1);
    for (place, entry) in entries.iter().chain(alone).enumerate() {
        let entry = &if place == 0 && on_trial { tried_entry(entry) } else { entry.clone() };
        let suffix = if place == 0 { String::new() } else { place.saturating_add(1).to_string() };
        if entry.get("linux").is_none() {
            return Err(Error::malformed("boot entry", "a kernel (linux)", entry.to_string()));
        }
        for (name, key) in [
            ("kernel_image", "linux"),
            ("ramdisk_image", "initrd"),
            ("fdt_file", "devicetree"),
            ("fdtdir", "fdtdir"),
            ("bootargs", "options"),
        ] {
            let Some(value) = entry.get(key) else { continue };
            let prefix = if key == "options" || value.starts_with("/boot/") { "" } else { "/boot" };
            text.push_str(&format!("{name}{suffix}={prefix}{value}\n"));
        }
        if place == 0 && !own.is_empty() {
            text.push_str(own);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries and the file of `ostree admin deploy` 2022.7 with `sysroot.bootloader=uboot`, checksums shortened.
    const ENTRIES: [&str; 2] = [
        "title T 1 (ostree:0)\nversion 2\noptions quiet ostree=/ostree/boot.0/t/b6/0\ndevicetree /ostree/t-b6/devicetree-6.1\n\
         linux /ostree/t-b6/vmlinuz-6.1\ninitrd /ostree/t-b6/initramfs-6.1.img\n",
        "title T 1 (ostree:1)\nversion 1\noptions quiet ostree=/ostree/boot.0/t/b6/1\n\
         linux /ostree/t-b6/vmlinuz-6.1\ninitrd /ostree/t-b6/initramfs-6.1.img\n",
    ];
    const REAL: &str = "kernel_image=/boot/ostree/t-b6/vmlinuz-6.1\nramdisk_image=/boot/ostree/t-b6/initramfs-6.1.img\n\
        fdt_file=/boot/ostree/t-b6/devicetree-6.1\nbootargs=quiet ostree=/ostree/boot.0/t/b6/0\nown=1\n\n\
        kernel_image2=/boot/ostree/t-b6/vmlinuz-6.1\nramdisk_image2=/boot/ostree/t-b6/initramfs-6.1.img\n\
        bootargs2=quiet ostree=/ostree/boot.0/t/b6/1\n";

    #[test]
    fn writes_the_bytes_of_ostree() {
        let entries = ENTRIES.map(Entry::parse);
        assert_eq!(uenv(&entries, false, "own=1\n").unwrap(), REAL);
        let tried = uenv(&entries, true, "").unwrap();
        assert!(
            tried.contains("/t/b6/0 rootling.trial panic=10\nkernel_image2") && tried.contains("/t/b6/1\n"),
            "{tried}"
        );
    }

    #[test]
    fn takes_a_prefix_once_and_a_kernel_always_and_what_is_alone_twice() {
        let entry = Entry::parse("linux /boot/k\nfdtdir /dtb\n");
        let alone = "kernel_image=/boot/k\nfdtdir=/boot/dtb\nkernel_image2=/boot/k\nfdtdir2=/boot/dtb\n";
        assert_eq!(uenv(&[entry], false, "").unwrap(), alone);
        assert!(uenv(&[Entry::default()], false, "").is_err());
    }
}
