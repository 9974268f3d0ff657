//! Trees that a hostile or careless builder could make, always the same ones.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use super::run;

fn file(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn xattr(path: &Path, name: &str, value: &str) {
    run(Command::new("setfattr").args(["-h", "-n", name, "-v", value]).arg(path));
}

fn dir(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Odd names, odd modes, owners, links, xattrs, empty and large files.
pub fn odd(root: &Path) {
    dir(root, 0o755);
    let names = [
        "-rf",
        " ",
        "a b",
        "line\nbreak",
        "tab\t",
        "ünï",
        "日本",
        "..x",
        ".hidden",
        "\u{7f}",
        "\\",
        "*",
        "a:b",
    ];
    for name in names {
        file(&root.join(name), name.as_bytes(), 0o644);
    }
    file(&root.join("n".repeat(255)), b"longest name", 0o644);
    file(&root.join("empty"), b"", 0o644);
    file(&root.join("empty too"), b"", 0o600);
    for (name, mode) in [("suid", 0o4755), ("sgid", 0o2755), ("sticky", 0o1644), ("none", 0), ("all", 0o7777)]
    {
        file(&root.join(name), b"mode", mode);
    }
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 11) as u8).collect();
    file(&root.join("large"), &large, 0o644);
    fs::hard_link(root.join("large"), root.join("large again")).unwrap();
    for (name, target) in [("up", "../../.."), ("dangling", "/nowhere"), ("self", "self"), ("space", " ")] {
        symlink(target, root.join(name)).unwrap();
    }
    symlink("t".repeat(4000), root.join("long link")).unwrap();
    for (name, mode) in [("sticky dir", 0o1777), ("sgid dir", 0o2750), ("closed", 0o700)] {
        dir(&root.join(name), mode);
        file(&root.join(name).join("x"), b"x", 0o644);
    }
    dir(&root.join("no files"), 0o755);
    xattr(&root.join("suid"), "user.z", "last");
    xattr(&root.join("suid"), "user.a", "first");
    xattr(&root.join("suid"), "trusted.overlay", "0x0001ff");
    xattr(&root.join("sgid dir"), "user.dir", "yes");
    xattr(&root.join("empty"), "user.empty", "");
    owner(&root.join("owned"), 1234, 4321);
}

fn owner(path: &Path, uid: u32, gid: u32) {
    File::create(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    chown(path, Some(uid), Some(gid)).unwrap();
}

/// Directories, targets and xattrs whose serialised size lies on both sides of each offset width.
pub fn widths(root: &Path) {
    dir(root, 0o755);
    // A dirtree entry with a name of 5 bytes takes 39 bytes and its offset.
    for count in [1usize, 5, 6, 7, 8, 1_640, 1_720] {
        let inside = root.join(format!("files-{count}"));
        dir(&inside, 0o755);
        for number in 0..count {
            file(&inside.join(format!("{number:05}")), format!("{}", number % 3).as_bytes(), 0o644);
        }
    }
    for count in [1usize, 3, 4, 5] {
        let inside = root.join(format!("dirs-{count}"));
        dir(&inside, 0o755);
        for number in 0..count {
            dir(&inside.join(format!("{number:05}")), 0o755);
        }
    }
    for length in
        [1usize, 200, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 256]
    {
        symlink("t".repeat(length), root.join(format!("link-{length}"))).unwrap();
        let path = root.join(format!("xattr-{length}"));
        file(&path, b"x", 0o644);
        xattr(&path, "user.v", &"v".repeat(length));
    }
}

/// One directory with 70,000 names.
pub fn crowd(root: &Path) {
    dir(root, 0o755);
    let seeds: Vec<_> = (0..4).map(|number| root.join(format!("seed{number}"))).collect();
    for (number, seed) in seeds.iter().enumerate() {
        file(seed, &[number as u8], 0o644);
    }
    for number in 0..70_000usize {
        fs::hard_link(&seeds[number % 4], root.join(format!("file-{number:06}"))).unwrap();
    }
}
