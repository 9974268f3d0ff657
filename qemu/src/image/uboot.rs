//! U-Boot's environment: what counts, and the commands that boot the first or the second deployment of `uEnv.txt`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::host;
use crate::path::Arch;

/// The file on the ESP; U-Boot is built to look for it there.
pub const FILE: &str = "uboot.env";
/// Its length in bytes: `CONFIG_ENV_SIZE`.
pub const SIZE: usize = 0x40000;
/// Where the device finds it.
pub const FW_ENV: &str = "/efi/uboot.env 0x0 0x40000\n";

/// The environment as text. The addresses are those of QEMU's machine `virt`. Partition 3 is the root, or BOOT where there
/// is one: the agent's link `boot -> .` on it leads the same paths to the same files.
fn text(arch: Arch) -> String {
    // a kernel of 32-bit ARM unpacks itself over what lies at the start of memory, and all has to fit into 64 MiB
    let (boot, ramdisk, places) = match arch {
        Arch::Aarch64 => ("booti", "0x44000000", "fdt_high=0xffffffff\ninitrd_high=0xffffffff\n"),
        _ => ("bootz", "0x42000000", ""),
    };
    let try_one = |suffix: &str| {
        format!(
            "load virtio 0:3 ${{scriptaddr}} /boot/uEnv.txt; env import -t ${{scriptaddr}} ${{filesize}}; \
             setenv bootargs ${{bootargs{suffix}}}; \
             load virtio 0:3 ${{kernel_addr_r}} ${{kernel_image{suffix}}}; \
             load virtio 0:3 ${{ramdisk_addr_r}} ${{ramdisk_image{suffix}}}; \
             {boot} ${{kernel_addr_r}} ${{ramdisk_addr_r}}:${{filesize}} ${{fdt_addr}}; reset"
        )
    };
    format!(
        "fdt_addr=0x40000000\nscriptaddr=0x40200000\nkernel_addr_r=0x40400000\nramdisk_addr_r={ramdisk}\n\
         {places}bootdelay=0\nupgrade_available=0\nbootcount=0\nbootlimit=3\n\
         bootcmd={}\naltbootcmd={}\n",
        try_one(""),
        try_one("2")
    )
}

/// Makes the file.
pub fn make(arch: Arch, work: &Path, esp: &Path) -> Result<()> {
    let source = work.join("uboot.txt");
    fs::write(&source, text(arch)).with_context(|| format!("write {}", source.display()))?;
    let mut make = host::command("mkenvimage");
    make.args(["-s", &SIZE.to_string(), "-o"]).arg(esp.join(FILE)).arg(&source);
    host::output(&mut make).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel and the initramfs of a guest take at most, with what U-Boot keeps at the end of memory.
    const ROOM: u32 = 8 << 20;

    #[test]
    fn a_machine_of_64_mib_has_room_for_all_that_is_loaded() {
        let text = text(Arch::Armv7);
        let place = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            u32::from_str_radix(line.strip_prefix("=0x").expect(name), 16).unwrap()
        };
        let order = ["fdt_addr", "scriptaddr", "kernel_addr_r", "ramdisk_addr_r"].map(place);
        assert!(order.is_sorted(), "{order:x?}");
        assert!(order[3] - order[2] >= ROOM, "{order:x?}");
        assert!(order[3] + 2 * ROOM <= 0x4000_0000 + (64 << 20), "{order:x?}");
    }
}
