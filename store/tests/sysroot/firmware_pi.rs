//! A Raspberry Pi's firmware on a folder, as its documentation says: autoboot.txt and the one-shot flag choose a
//! partition, config.txt on it says the rest. None of our crates' code is in it.

use std::fs;
use std::path::Path;

/// What it starts.
#[derive(Debug, PartialEq, Eq)]
pub struct Started {
    pub partition: u32,
    pub kernel: Vec<u8>,
    pub initramfs: Option<Vec<u8>>,
    pub device_tree: Option<Vec<u8>>,
    pub args: String,
    /// The folder of the deployment that the arguments come to.
    pub tree: String,
}

/// Partitions 1 to 3, mounted; the device tree says that 2 has booted.
pub fn board(sysroot: &Path) {
    let mut mounts = String::from("20 1 179:4 / / rw - ext4 /dev/root rw\n");
    for (number, place) in [(1, "boot/firmware"), (2, "boot/slot-a"), (3, "boot/slot-b")] {
        let sys = sysroot.join(format!("sys/dev/block/179:{number}"));
        for folder in [&sysroot.join(place), &sys] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(sys.join("partition"), format!("{number}\n")).unwrap();
        mounts += &format!(
            "3{number} 20 179:{number} / /{place} rw shared:{number} - vfat /dev/mmcblk0p{number} rw\n"
        );
        if number > 1 {
            // what the maker of the image put there
            fs::write(sysroot.join(place).join("start4.elf"), "firmware").unwrap();
            fs::write(sysroot.join(place).join("config.txt"), "arm_64bit=1\nkernel=factory.img\n").unwrap();
        }
    }
    autoboot(sysroot, 2, 3);
    for folder in ["proc/self", "proc/sys/kernel/random", "proc/device-tree/chosen/bootloader"] {
        fs::create_dir_all(sysroot.join(folder)).unwrap();
    }
    fs::write(sysroot.join("proc/self/mountinfo"), mounts).unwrap();
    tell(sysroot, 2, false);
    fs::write(sysroot.join("proc/sys/kernel/random/boot_id"), "boot-0\n").unwrap();
}

pub fn autoboot(sysroot: &Path, boot: u32, tried: u32) {
    let text = format!("[all]\ntryboot_a_b=1\nboot_partition={boot}\n[tryboot]\nboot_partition={tried}\n");
    fs::write(sysroot.join("boot/firmware/autoboot.txt"), text).unwrap();
}

fn tell(sysroot: &Path, partition: u32, tryboot: bool) {
    let chosen = sysroot.join("proc/device-tree/chosen/bootloader");
    fs::write(chosen.join("partition"), partition.to_be_bytes()).unwrap();
    fs::write(chosen.join("tryboot"), u32::from(tryboot).to_be_bytes()).unwrap();
}

/// The last line that holds; only the first 98 characters of a line count.
fn setting(text: &str, tryboot: bool, key: &str, separator: char) -> Option<String> {
    let (mut holds, mut found) = (true, None);
    for line in text.lines() {
        let line: String = line.chars().take(98).collect();
        match line.as_str() {
            "[all]" => holds = true,
            "[tryboot]" => holds = tryboot,
            _ if line.starts_with('[') => holds = false,
            _ if holds => {
                let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(separator));
                found = value.map(String::from).or(found);
            }
            _ => {}
        }
    }
    found
}

/// What a boot with or without the flag would start; an error where the firmware would find nothing.
pub fn would_start(sysroot: &Path, tryboot: bool) -> Result<Started, String> {
    let text =
        fs::read(sysroot.join("boot/firmware/autoboot.txt")).map_err(|e| format!("autoboot.txt: {e}"))?;
    let text = String::from_utf8_lossy(&text[..text.len().min(512)]).into_owned();
    let number = setting(&text, tryboot, "boot_partition", '=').unwrap_or_default();
    let place = match number.as_str() {
        "2" => sysroot.join("boot/slot-a"),
        "3" => sysroot.join("boot/slot-b"),
        other => return Err(format!("no partition {other:?} in {text:?}")),
    };
    let (config, of_a_b) = match tryboot && setting(&text, true, "tryboot_a_b", '=').as_deref() != Some("1") {
        true => ("tryboot.txt", false),
        false => ("config.txt", true),
    };
    if !place.join("start4.elf").exists() {
        return Err(format!("{} is not bootable", place.display()));
    }
    let config = fs::read_to_string(place.join(config)).map_err(|e| format!("{config}: {e}"))?;
    let set = |key: &str| setting(&config, tryboot && of_a_b, key, '=');
    let initramfs = setting(&config, tryboot && of_a_b, "initramfs", ' ');
    let (kernel, tree) = (set("kernel").unwrap_or("kernel8.img".into()), "bcm2711-rpi-4-b.dtb");
    let prefix = set("os_prefix").unwrap_or_default();
    let prefixed = |prefix: &str, name: &str| match name.strip_prefix('/') {
        Some(absolute) => absolute.to_string(),
        None => format!("{prefix}{name}"),
    };
    let is_there = |name: &str| place.join(prefixed(&prefix, name)).is_file();
    let prefix = if is_there(&kernel) && is_there(tree) { prefix.as_str() } else { "" };
    let read = |name: &str| {
        let path = place.join(prefixed(prefix, name));
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let args = String::from_utf8(read(&set("cmdline").unwrap_or("cmdline.txt".into()))?).unwrap();
    let args = args.strip_suffix('\n').filter(|args| !args.contains('\n')).ok_or("more lines than one")?;
    let link = args.split(' ').find_map(|arg| arg.strip_prefix("ostree=/")).ok_or("no ostree=")?;
    let deployment = sysroot.join(link);
    if !deployment.is_symlink() {
        return Err(format!("{link} is no link"));
    }
    let folder = fs::canonicalize(&deployment).map_err(|e| format!("{link}: {e}"))?;
    let initramfs = initramfs.map(|value| read(value.strip_suffix(" followkernel").unwrap())).transpose()?;
    Ok(Started {
        partition: number.parse().unwrap(),
        kernel: read(&kernel)?,
        initramfs,
        device_tree: set("device_tree").map(|name| read(&name)).transpose()?.or(read(tree).ok()),
        args: args.to_string(),
        tree: folder.file_name().unwrap().to_str().unwrap().to_string(),
    })
}

/// Boots: the flag is cleared first, the device tree says how it was, and the kernel has another id for this boot.
pub fn start(sysroot: &Path, flag: &mut bool) -> Started {
    let tryboot = std::mem::take(flag);
    let started = would_start(sysroot, tryboot).unwrap_or_else(|error| panic!("tryboot {tryboot}: {error}"));
    tell(sysroot, started.partition, tryboot);
    let id = sysroot.join("proc/sys/kernel/random/boot_id");
    let last = fs::read_to_string(&id).unwrap();
    let next: u32 = last.trim().strip_prefix("boot-").unwrap().parse().unwrap();
    fs::write(id, format!("boot-{}\n", next + 1)).unwrap();
    started
}
