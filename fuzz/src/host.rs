//! Targets for rootling-compose: files that come from package repositories and their authors.

use rootling_compose::fetch::Cache;
use rootling_compose::initramfs::{Modinfo, Modules};
use rootling_compose::manifest::Manifest;
use rootling_compose::repo::{RepoVars, Rich, Strings, load, read_dir};
use rootling_compose::rpmfile::header::Header;
use rootling_compose::unpack::cpio::Cpio;

use rootling_object::Checksum;

use crate::{Target, text};

pub const TARGETS: &[Target] = &[
    Target { name: "rpm_header", run: rpm_header, seeds: seeds_rpm_header },
    Target { name: "modules", run: modules, seeds: seeds_modules },
    Target { name: "cpio", run: cpio, seeds: seeds_cpio },
    Target {
        name: "rich",
        run: rich,
        seeds: || vec![b"(a >= 1.0 and (b or c) if d)".to_vec(), b"(x with y < 2)".to_vec()],
    },
    Target { name: "manifest", run: manifest, seeds: || vec![MANIFEST.to_vec()] },
    Target { name: "repodata", run: repodata, seeds: seeds_repodata },
    Target { name: "repo_file", run: repo_file, seeds: || vec![REPO_FILE.to_vec()] },
];

const MANIFEST: &[u8] = b"ref: os/${basearch}/main\nreleasever: \"12\"\npackages:\n  - bash\n  - 'a b'\nadd-files:\n  - [x, /etc/x]\nrecommends: false\n";

fn rpm_header(data: &[u8]) {
    if let Ok(header) = Header::decode(data.to_vec()) {
        for entry in header.entries() {
            let _ = (
                header.data(entry),
                header.strings(entry.tag),
                header.numbers(entry.tag),
                header.text(entry.tag),
            );
        }
    }
}

/// depmod's lists, one after the other with NUL between, and the same bytes as a module.
fn modules(data: &[u8]) {
    let _ = Modinfo::decode(data);
    let Some(text) = text(data) else { return };
    let mut lists = text.split('\0');
    let mut next = || lists.next().unwrap_or_default();
    let modules = Modules::parse(next(), next(), next(), next());
    let mut order = Vec::new();
    for name in ["ext4", "a", "b"] {
        modules.load(name, &mut order);
    }
    let mut once = order.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), order.len(), "a module is loaded once");
}

fn seeds_modules() -> Vec<Vec<u8>> {
    let lists = "kernel/fs/ext4.ko: kernel/a.ko.xz kernel/b.ko\nkernel/a.ko.xz: kernel/b.ko\nkernel/b.ko:\n\0\
        softdep ext4 pre: c post: a\nsoftdep a pre: ext4\n\0alias c b\n\0kernel/d.ko\n";
    // an ELF file of this machine, cut so that it stays small
    let program = std::fs::read("/proc/self/exe").unwrap_or_default();
    vec![lists.into(), program.into_iter().take(4096).collect()]
}

fn cpio(data: &[u8]) {
    let mut archive = Cpio::new(data);
    // no archive of this length has more entries
    for _ in 0..=data.len() {
        match archive.next_entry() {
            Ok(Some(_)) => archive.expect(0),
            Ok(None) => return drop(archive.finish()),
            Err(_) => return,
        }
    }
    panic!("more entries than bytes");
}

fn rich(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = Rich::parse(text, &mut Strings::default());
}

fn manifest(data: &[u8]) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("manifest.yaml");
    std::fs::write(&path, data).expect("write");
    let _ = Manifest::load(&path, "x86_64");
}

const REPO_FILE: &[u8] =
    b"[a]\nname=A $basearch\nbaseurl=http://h/$releasever/${basearch}\n  http://other/\nenabled=1\ngpgcheck=0\npriority=5\n";

fn repo_file(data: &[u8]) {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("fuzz.repo"), data).expect("write");
    let vars = RepoVars { basearch: "x86_64".into(), arch: "x86_64".into(), releasever: Some("12".into()) };
    let _ = read_dir(dir.path(), &vars);
}

/// A whole repository: the first byte says whether the rest is its repomd.xml or its primary.xml.
fn repodata(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let dir = tempfile::tempdir().expect("temporary folder");
    let repodata = dir.path().join("repodata");
    std::fs::create_dir(&repodata).expect("folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(repodata.join(name), bytes).expect("write");
    if which % 2 == 0 {
        write("repomd.xml", data);
        write("primary.xml", PRIMARY);
    } else {
        write("repomd.xml", repomd(data).as_bytes());
        write("primary.xml", data);
    }
    let text = format!("[fuzz]\nname=fuzz\nbaseurl=file://{}\ngpgcheck=0\n", dir.path().display());
    std::fs::write(dir.path().join("fuzz.repo"), text).expect("write");
    let vars = RepoVars { basearch: "x86_64".into(), arch: "x86_64".into(), releasever: None };
    let configs = read_dir(dir.path(), &vars).expect("a good .repo file");
    let cache = Cache::new(&dir.path().join("cache")).expect("cache");
    let _ = load(configs, &["x86_64", "noarch"], &cache);
}

fn repomd(primary: &[u8]) -> String {
    let (sum, size) = (Checksum::of(primary), primary.len());
    format!(
        "<repomd><data type=\"primary\"><checksum type=\"sha256\">{sum}</checksum><location href=\"repodata/primary.xml\"/><size>{size}</size></data></repomd>"
    )
}

const PRIMARY: &[u8] = br#"<metadata xmlns:rpm="r" packages="1"><package type="rpm"><name>a</name><arch>noarch</arch>
<version epoch="0" ver="1" rel="2"/><checksum type="sha256" pkgid="YES">f82cc07b52beff61aa1d62b486ebfca61b2f93c9cbd4cab5a47e4f22b825e566</checksum>
<size package="1" installed="2" archive="0"/><location href="a.rpm"/><format><rpm:provides><rpm:entry name="a" flags="EQ" epoch="0" ver="1" rel="2"/></rpm:provides>
<rpm:requires><rpm:entry name="(b or c)"/></rpm:requires><file>/etc/a</file></format></package></metadata>"#;

fn seeds_repodata() -> Vec<Vec<u8>> {
    vec![[&[0], repomd(PRIMARY).as_bytes()].concat(), [&[1], PRIMARY].concat()]
}

fn seeds_rpm_header() -> Vec<Vec<u8>> {
    // two entries (a string, two numbers): count, size of data, entries of tag, type, offset, count, data
    let number = |n: u32| n.to_be_bytes();
    let index = [2, 16, 1000, 6, 0, 1, 1009, 4, 8, 2].map(number).concat();
    vec![[index.as_slice(), b"bash\0\0\0\0", &number(1), &number(2)].concat()]
}

fn seeds_cpio() -> Vec<Vec<u8>> {
    let entry = |name: &str| {
        let mut bytes = format!(
            "070701{:08x}{:08x}{}{:08x}00000000{}",
            1,
            0o100_644,
            "00000000".repeat(4),
            0,
            "00000000".repeat(3)
        );
        bytes.push_str(&format!("{:08x}{:08x}{name}\0", name.len() + 1, 0));
        while bytes.len() % 4 != 0 {
            bytes.push('\0');
        }
        bytes.into_bytes()
    };
    vec![[entry("./usr/bin/x"), entry("TRAILER!!!")].concat()]
}
