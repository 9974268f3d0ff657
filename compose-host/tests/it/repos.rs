//! Small repositories made from a few lines of text.
//!
//! One package starts with `NAME-VERSION-RELEASE[.ARCH]`; the lines below it add `P` provides, `R` requires,
//! `C` conflicts, `O` obsoletes, `M` recommends, `S` supplements, `F` a file, `L` a file that only filelists has.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A repository on disk.
pub struct TestRepo {
    pub id: &'static str,
    pub priority: Option<i32>,
    pub dir: PathBuf,
}

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes the repository of `text` into `dir`.
pub fn write(dir: &Path, id: &'static str, priority: Option<i32>, text: &str) -> TestRepo {
    let dir = dir.join(id);
    std::fs::create_dir_all(dir.join("repodata")).unwrap();
    let mut packages: Vec<Vec<(char, String)>> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        match line.split_once(' ') {
            Some((kind, rest)) if kind.len() == 1 => packages
                .last_mut()
                .expect("a package line first")
                .push((kind.chars().next().unwrap(), rest.into())),
            _ if line.is_empty() => {}
            _ => packages.push(vec![('N', line.into())]),
        }
    }
    let count = packages.len();
    let mut primary = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">\n"
    );
    let mut filelists = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" \
         packages=\"{count}\">\n"
    );
    for package in &packages {
        write_package(&mut primary, &mut filelists, package);
    }
    primary.push_str("</metadata>\n");
    filelists.push_str("</filelists>\n");
    let mut repomd =
        "<?xml version=\"1.0\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision>"
            .to_string();
    for (kind, xml) in [("primary", &primary), ("filelists", &filelists)] {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(xml.as_bytes()).unwrap();
        let bytes = gz.finish().unwrap();
        std::fs::write(dir.join(format!("repodata/{kind}.xml.gz")), &bytes).unwrap();
        write!(
            repomd,
            "<data type=\"{kind}\"><checksum type=\"sha256\">{}</checksum><open-checksum type=\"sha256\">{}\
             </open-checksum><location href=\"repodata/{kind}.xml.gz\"/><timestamp>1</timestamp><size>{}</size>\
             <open-size>{}</open-size></data>",
            hex(&bytes),
            hex(xml.as_bytes()),
            bytes.len(),
            xml.len()
        )
        .unwrap();
    }
    repomd.push_str("</repomd>\n");
    std::fs::write(dir.join("repodata/repomd.xml"), repomd).unwrap();
    TestRepo { id, priority, dir }
}

fn write_package(primary: &mut String, filelists: &mut String, lines: &[(char, String)]) {
    let nevra = &lines[0].1;
    let (nevr, arch) = match nevra.rsplit_once('.') {
        Some((nevr, arch)) if ["x86_64", "noarch", "i686"].contains(&arch) => (nevr, arch),
        _ => (nevra.as_str(), "noarch"),
    };
    let (nev, release) = nevr.rsplit_once('-').unwrap();
    let (name, version) = nev.rsplit_once('-').unwrap();
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let pkgid = hex(nevra.as_bytes());
    write!(
        primary,
        "<package type=\"rpm\"><name>{name}</name><arch>{arch}</arch><version epoch=\"{epoch}\" ver=\"{version}\" \
         rel=\"{release}\"/><checksum type=\"sha256\" pkgid=\"YES\">{pkgid}</checksum><summary/><description/>\
         <packager/><url/><time file=\"1\" build=\"1\"/><size package=\"1\" installed=\"1\" archive=\"1\"/>\
         <location href=\"{nevra}.rpm\"/><format><rpm:license/><rpm:vendor/><rpm:group/><rpm:buildhost/>\
         <rpm:sourcerpm>{name}.src.rpm</rpm:sourcerpm><rpm:header-range start=\"1\" end=\"2\"/>"
    )
    .unwrap();
    for (kind, tag) in [
        ('P', "provides"),
        ('R', "requires"),
        ('C', "conflicts"),
        ('O', "obsoletes"),
        ('M', "recommends"),
        ('S', "supplements"),
    ] {
        let mut entries: Vec<String> =
            lines.iter().filter(|(k, _)| *k == kind).map(|(_, text)| entry(text)).collect();
        if kind == 'P' {
            entries.push(entry(&format!("{name} = {epoch}:{version}-{release}")));
        }
        if !entries.is_empty() {
            write!(primary, "<rpm:{tag}>{}</rpm:{tag}>", entries.concat()).unwrap();
        }
    }
    let files = |kinds: &str| {
        lines
            .iter()
            .filter(|(k, _)| kinds.contains(*k))
            .map(|(_, path)| format!("<file>{}</file>", escaped(path)))
            .collect::<String>()
    };
    writeln!(primary, "{}</format></package>", files("F")).unwrap();
    writeln!(
        filelists,
        "<package pkgid=\"{pkgid}\" name=\"{name}\" arch=\"{arch}\"><version epoch=\"{epoch}\" ver=\"{version}\" \
         rel=\"{release}\"/>{}</package>",
        files("FL")
    )
    .unwrap();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn entry(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    if text.starts_with('(') || words.len() != 3 {
        return format!("<rpm:entry name=\"{}\"/>", escaped(text));
    }
    let flags = match words[1] {
        "<" => "LT",
        "<=" => "LE",
        "=" => "EQ",
        ">=" => "GE",
        _ => "GT",
    };
    let (epoch, evr) = words[2].split_once(':').unwrap_or(("0", words[2]));
    let (version, release) = match evr.split_once('-') {
        Some((version, release)) => (version, format!(" rel=\"{release}\"")),
        None => (evr, String::new()),
    };
    format!(
        "<rpm:entry name=\"{}\" flags=\"{flags}\" epoch=\"{epoch}\" ver=\"{version}\"{release}/>",
        escaped(words[0])
    )
}
