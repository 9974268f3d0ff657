//! The modules of an initramfs that `rootling-compose` made, loaded in the order of its list.

use crate::console::tell;
use crate::sys;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Absolute paths of modules, one a line.
const LIST: &str = "lib/rootling/modules.load";

/// Loads them all. One that cannot be loaded is told and passed over: whether the root is found decides.
pub fn load(root: &Path) {
    for path in list(root) {
        let name = path.display().to_string();
        let loaded = File::open(&path).map_err(crate::error::Error::io(format!("open {name}")));
        if let Err(error) = loaded.and_then(|file| sys::load_module(&file, &name)) {
            tell(error);
        }
    }
}

/// What the list names below `root`; nothing without a list.
fn list(root: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join(LIST)).unwrap_or_default();
    text.lines().map(|line| root.join(line.trim_start_matches('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_list() {
        let dir = tempfile::tempdir().unwrap();
        assert!(list(dir.path()).is_empty());
        fs::create_dir_all(dir.path().join("lib/rootling")).unwrap();
        fs::write(dir.path().join(LIST), "/lib/modules/b.ko\n/lib/modules/a.ko\n").unwrap();
        assert_eq!(
            list(dir.path()),
            [dir.path().join("lib/modules/b.ko"), dir.path().join("lib/modules/a.ko")]
        );
        // neither is there: told, and no reason to stop
        load(dir.path());
    }
}
