//! `initramfs: dracut` with a dracut that says how it was called.

use std::path::{Path, PathBuf};
use std::process::Command;

use rpm::{FileOptions, PackageBuilder};

use crate::compose::{Bench, ostree};
use crate::rpms;

const IMAGE: &str = "usr/lib/modules/6.1/initramfs.img";

/// Writes what it is called with, and the variables that are for it, into its file, which it keeps to itself.
const DRACUT: &str = "#!/usr/bin/dash
[ -e /usr/lib/modules/6.1/initramfs.img ] && echo 'an old one is there' && exit 1
umask 077
while [ \"$1\" ]; do
    words=\"$words $1\"
    [ \"$1\" = -f ] && file=$2
    shift
done
echo \"$words $SOURCE_DATE_EPOCH $DRACUT_NO_MKNOD\" > $file
";

/// A package with a kernel, this machine's shell, and a dracut if a script for it is given.
fn kernel(bench: &Bench, script: Option<&str>, module: &str) {
    let mut builder = rpms::builder("kernel");
    let mut put = |path: &str, content: &str, mode: u16| {
        let options = FileOptions::new(path).user("root").permissions(mode);
        builder.with_file_contents(content, options).unwrap();
    };
    put("/usr/lib/modules/6.1/vmlinuz", "kernel", 0o644);
    put("/boot/initramfs-6.1.img", "of a package", 0o644);
    put(&format!("/usr/lib/dracut/modules.d/{module}/module-setup.sh"), "", 0o755);
    if let Some(script) = script {
        put("/usr/bin/dracut", script, 0o755);
    }
    shell(&mut builder);
    builder.build().unwrap().write_file(bench.path("rpms/kernel.rpm")).unwrap();
    bench.index();
}

/// Adds `/usr/bin/dash` with the libraries it loads.
fn shell(builder: &mut PackageBuilder) {
    let told = Command::new("ldd").arg("/usr/bin/dash").output().expect("ldd is not here, install libc-bin");
    let told = String::from_utf8(told.stdout).unwrap();
    let paths = told.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    for path in paths.chain(["/usr/bin/dash".into()]) {
        let to = match path.strip_prefix("/usr") {
            Ok(_) => path.clone(),
            Err(_) => Path::new("/usr").join(path.strip_prefix("/").unwrap()),
        };
        let options = FileOptions::new(to.to_str().unwrap()).user("root").permissions(0o755);
        builder.with_file(&path, options).unwrap();
    }
    for name in ["lib", "lib64"] {
        builder.with_symlink(FileOptions::symlink(format!("/{name}"), format!("usr/{name}"))).unwrap();
    }
}

fn manifest(bench: &Bench, lines: &str) {
    let text = format!("ref: test/main\nrepos: [packages]\npackages: [kernel]\ninitramfs: dracut\n{lines}");
    std::fs::write(bench.path("m.yaml"), text).unwrap();
}

#[test]
fn the_trees_own_dracut_makes_the_initramfs() {
    let bench = Bench::new();
    let repo = bench.path("repo");
    manifest(&bench, "");
    for (module, added) in [("98ostree", " --add ostree"), ("98ostree-not", "")] {
        kernel(&bench, Some(DRACUT), module);
        bench.tree(&["--timestamp", "1700000000"]);
        let expected = format!(
            " --reproducible -v --no-hostonly --kver 6.1{added} --tmpdir /tmp -f /{IMAGE} 1700000000 1\n"
        );
        assert_eq!(ostree(&repo, &["cat", "test/main", IMAGE]), expected);
    }
    let listed = ostree(&repo, &["ls", "test/main", IMAGE]);
    assert!(listed.starts_with("-00644 0 0 "), "{listed}");

    manifest(&bench, "initramfs-args: [--no-early-microcode, --omit, 'a b']\n");
    bench.tree(&["--timestamp", "1700000000"]);
    let called = ostree(&repo, &["cat", "test/main", IMAGE]);
    assert!(called.contains(&format!("-f /{IMAGE} --no-early-microcode --omit a b 1700000000")), "{called}");
}

#[test]
fn a_tree_without_what_dracut_should_make_is_refused() {
    let bench = Bench::new();
    manifest(&bench, "");
    for (script, expected) in [
        (None, "initramfs: dracut, expected usr/bin/dracut or usr/sbin/dracut in the tree, got no such file"),
        (
            Some("#!/usr/bin/dash\necho no module xfs >&2\nexit 3\n"),
            "dracut: expected exit status 0, got exit status: 3; its last lines:\nno module xfs",
        ),
        (
            Some("#!/usr/bin/dash\n:\n"),
            "dracut: exit status 0, expected that it made the file usr/lib/modules",
        ),
        (
            Some("#!/usr/bin/dash\n: > /usr/lib/modules/6.1/initramfs.img\n"),
            "dracut: exit status 0, expected that it made the file usr/lib/modules",
        ),
    ] {
        kernel(&bench, script, "98ostree");
        let (code, _, errors) = bench.run(&["tree", "m.yaml", "--repo", "repo", "--cachedir", "cache"]);
        assert!(code == 1 && errors.contains(expected), "{expected}: {errors}");
    }
    assert_eq!(ostree(&bench.path("repo"), &["refs"]), "");
}
