//! `loader/uEnv.txt`: the deployments as variables that a boot script imports.
//!
//! ```text
//! kernel_image=  ramdisk_image=  fdt_file=  fdtdir=  bootargs=     the first deployment
//! kernel_image2= ...                                               the second, and so on
//! ```
//! then the deployment's own `usr/lib/ostree-boot/uEnv.txt`. Source: what `ostree admin deploy` 2022.7 writes.

use crate::Result;
use crate::entry::Entry;
use crate::error::Error;
use crate::loader::tried_entry;

/// The file's name in a loader folder.
pub const UENV: &str = "uEnv.txt";

/// The text for a list of entries, the first on trial or not; `own` is the first deployment's own file.
pub fn uenv(entries: &[Entry], on_trial: bool, own: &str) -> Result<String> {
    let mut text = String::new();
    for (place, entry) in entries.iter().enumerate() {
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
            if let Some(value) = entry.get(key) {
                text.push_str(&format!("{name}{suffix}={value}\n"));
            }
        }
    }
    text.push_str(own);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_the_second_on() {
        let entries = ["options quiet\nlinux /k\ninitrd /i\ndevicetree /d\n", "linux /k2\nfdtdir /dtb\n"];
        let entries = entries.map(Entry::parse);
        assert_eq!(
            uenv(&entries, false, "own=1\n").unwrap(),
            "kernel_image=/k\nramdisk_image=/i\nfdt_file=/d\nbootargs=quiet\nkernel_image2=/k2\nfdtdir2=/dtb\nown=1\n"
        );
        assert!(uenv(&[Entry::default()], false, "").is_err());
        assert!(uenv(&entries, true, "").unwrap().contains("bootargs=quiet panic=10\nkernel_image2"));
    }
}
