//! The boot files of a tree: where they come from, what the boot checksum covers, and their names in `/boot`.
//!
//! ```text
//! usr/lib/modules/KVER/            boot/ostree/STATEROOT-BOOTCSUM/      hashed, in this order
//!   vmlinuz                          vmlinuz-KVER                         1
//!   initramfs.img or initramfs       initramfs-KVER.img                   2
//!   devicetree                       devicetree-KVER                      3
//!   dtb/...  (no devicetree)         dtb/...                              3, every file, see `dtb_order`
//!   .vmlinuz.hmac                    .vmlinuz-KVER.hmac                   not
//! ```
//! BOOTCSUM is the SHA-256 of the plain bytes of the hashed files, one after the other, with nothing between.
//! Source: libostree's layout since 2018; proved by comparing with its checksum in the store's oracle tests.

use crate::Result;
use crate::entry::compare_versions;
use crate::error::Error;

/// The folder that holds one folder for each kernel.
pub const MODULES: &str = "usr/lib/modules";
/// The kernel's file name in a tree.
pub const VMLINUZ: &str = "vmlinuz";
/// The file that a tree without initramfs starts as `init`.
pub const PREPARE_ROOT: &str = "usr/lib/ostree/ostree-prepare-root";
const INITRAMFS: [&str; 2] = ["initramfs.img", "initramfs"];
const DEVICETREE: &str = "devicetree";
const DTB_DIR: &str = "dtb";
const HMAC: &str = ".vmlinuz.hmac";

/// What a kernel's folder contains besides the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFiles {
    /// The folder's name, KVER.
    pub version: String,
    /// The initramfs's name in the folder.
    pub initramfs: Option<String>,
    /// Device trees.
    pub devicetree: DeviceTree,
    /// A checksum file of the kernel for FIPS mode.
    pub hmac: bool,
}

/// How a tree brings its device trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceTree {
    /// None: the firmware has one, or the machine needs none.
    None,
    /// One file, named by `devicetree` in the entry.
    File,
    /// A folder of them, named by `fdtdir` in the entry.
    Dir,
}

/// One thing to put into `/boot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name in the kernel's folder.
    pub source: String,
    /// Its name in the boot folder.
    pub target: String,
    /// Whether it is a folder with everything in it.
    pub is_dir: bool,
}

/// Chooses among the folders that have a kernel: the highest version, so that two readers agree.
pub fn choose_version<'a>(with_kernel: impl IntoIterator<Item = &'a str>) -> Result<&'a str> {
    let highest = with_kernel.into_iter().max_by(|a, b| compare_versions(a, b));
    highest.ok_or(Error::NoKernel { place: "usr/lib/modules/KVER" })
}

impl KernelFiles {
    /// Looks through the names of a kernel's folder; the flag of each says whether it is a folder.
    pub fn find<'a>(version: &str, names: impl IntoIterator<Item = (&'a str, bool)>) -> KernelFiles {
        let mut found = KernelFiles {
            version: version.into(),
            initramfs: None,
            devicetree: DeviceTree::None,
            hmac: false,
        };
        for (name, is_dir) in names {
            match (name, is_dir) {
                (DEVICETREE, false) => found.devicetree = DeviceTree::File,
                (DTB_DIR, true) if found.devicetree == DeviceTree::None => found.devicetree = DeviceTree::Dir,
                (HMAC, false) => found.hmac = true,
                (_, false) if name == INITRAMFS[0] => found.initramfs = Some(name.into()),
                (_, false) if name == INITRAMFS[1] && found.initramfs.is_none() => {
                    found.initramfs = Some(name.into())
                }
                _ => {}
            }
        }
        found
    }

    /// What the boot checksum covers, in order; a folder stands for all files in it in [`dtb_order`].
    pub fn hashed(&self) -> Vec<&str> {
        let initramfs = self.initramfs.as_deref();
        [Some(VMLINUZ), initramfs, self.devicetree_source()].into_iter().flatten().collect()
    }

    /// What goes into `/boot`.
    pub fn installed(&self) -> Vec<Installed> {
        let file = |source: &str, target| Installed { source: source.into(), target, is_dir: false };
        let mut list = vec![file(VMLINUZ, self.kernel_name())];
        if let (Some(source), Some(target)) = (&self.initramfs, self.initramfs_name()) {
            list.push(file(source, target));
        }
        if let (Some(source), Some(target)) = (self.devicetree_source(), self.devicetree_name()) {
            list.push(Installed { is_dir: self.devicetree == DeviceTree::Dir, ..file(source, target) });
        }
        if self.hmac {
            list.push(file(HMAC, format!(".vmlinuz-{}.hmac", self.version)));
        }
        list
    }

    /// The kernel's name in `/boot`.
    pub fn kernel_name(&self) -> String {
        format!("vmlinuz-{}", self.version)
    }

    /// The initramfs's name in `/boot`.
    pub fn initramfs_name(&self) -> Option<String> {
        self.initramfs.as_ref().map(|_| format!("initramfs-{}.img", self.version))
    }

    /// The device tree's name in `/boot`, a file or a folder.
    pub fn devicetree_name(&self) -> Option<String> {
        match self.devicetree {
            DeviceTree::None => None,
            DeviceTree::File => Some(format!("devicetree-{}", self.version)),
            DeviceTree::Dir => Some(DTB_DIR.into()),
        }
    }

    fn devicetree_source(&self) -> Option<&'static str> {
        match self.devicetree {
            DeviceTree::None => None,
            DeviceTree::File => Some(DEVICETREE),
            DeviceTree::Dir => Some(DTB_DIR),
        }
    }
}

/// Sorts the paths of a `dtb` folder as a walk that sorts the names of each folder meets them.
///
/// This is not the order of the whole paths: `a/x` comes before `a-b`, though `-` sorts before `/`.
pub fn dtb_order(paths: &mut [String]) {
    paths.sort_unstable_by(|a, b| a.split('/').map(str::as_bytes).cmp(b.split('/').map(str::as_bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_files_whatever_their_order() {
        let names = [
            ("initramfs", false),
            (".vmlinuz.hmac", false),
            ("dtb", true),
            ("initramfs.img", false),
            ("kernel", true),
            ("vmlinuz", false),
        ];
        for _ in 0..2 {
            let found = KernelFiles::find("6.1", names);
            assert_eq!(found.hashed(), ["vmlinuz", "initramfs.img", "dtb"]);
            let installed: Vec<_> = found.installed().into_iter().map(|i| i.target).collect();
            assert_eq!(installed, ["vmlinuz-6.1", "initramfs-6.1.img", "dtb", ".vmlinuz-6.1.hmac"]);
        }
        let mut reversed = names;
        reversed.reverse();
        assert_eq!(KernelFiles::find("6.1", reversed), KernelFiles::find("6.1", names));
    }

    #[test]
    fn one_device_tree_wins_over_a_folder() {
        for names in [[("dtb", true), ("devicetree", false)], [("devicetree", false), ("dtb", true)]] {
            let found = KernelFiles::find("5", names);
            assert_eq!(found.devicetree_name().as_deref(), Some("devicetree-5"));
            assert_eq!(found.hashed(), ["vmlinuz", "devicetree"]);
        }
        assert_eq!(KernelFiles::find("5", [("dtb", false), ("initramfs.img", true)]).hashed(), ["vmlinuz"]);
    }

    #[test]
    fn chooses_the_highest_version() {
        assert_eq!(choose_version(["6.1.0-9", "6.1.0-50", "5.10"]), Ok("6.1.0-50"));
        assert!(matches!(choose_version([]), Err(Error::NoKernel { .. })));
    }

    #[test]
    fn walks_a_dtb_folder_by_elements() {
        let mut paths = ["b", "a-b", "a/x", "a/b/c", "a.dtb"].map(String::from);
        dtb_order(&mut paths);
        assert_eq!(paths, ["a/b/c", "a/x", "a-b", "a.dtb", "b"]);
    }
}
