//! One Debian package to one RPM.
//!
//! Kept: dependencies, owners, modes, links, configuration and documentation flags, times. Changed: `/bin`, `/lib`
//! and the like move under `/usr` (the `filesystem` RPM owns the links), and shared folders belong to `filesystem`
//! alone. The result depends on the package, its [`Distilled`] entry and `SOURCE_DATE_EPOCH` only.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use rpm::{BuildConfig, CompressionWithLevel, Dependency, DependencyFlags, PackageBuilder, Scriptlet};

use super::contents::{add_files, files};
use super::deb::{Deb, Entry, Kind};
use super::distilled::{Distilled, Scriptlets};
use super::relation::{self, Relations};
use super::version::RpmVersion;

/// Part of each cache key: raise it when the same input shall give another RPM.
pub const TOOL_VERSION: &str = "5";

/// Builds the RPM.
pub fn convert(mut deb: Deb, distilled: &Distilled) -> Result<rpm::Package> {
    let mut distilled = distilled.clone();
    if deb.field("Package").starts_with("linux-image-") {
        distilled.ghosts.extend(super::kernel::reshape(&mut deb)?);
    }
    let distilled = &distilled;
    let name = deb.field("Package").to_owned();
    let scriptlets = distilled.scriptlets(&deb);
    let files = files(&mut deb, distilled).with_context(|| name.clone())?;
    let version = RpmVersion::parse(deb.field("Version"));
    let (summary, description) =
        deb.field("Description").split_once('\n').unwrap_or((deb.field("Description"), ""));
    let arch = rpm_arch(deb.field("Architecture"))?;
    let mut builder = PackageBuilder::new(&name, &version.version, &license(&files), arch, summary);
    builder.using_config(build_config(&name, deb.newest));
    builder.release(version.release_or_zero()).description(if description.is_empty() {
        summary
    } else {
        description
    });
    builder
        .vendor("Debian")
        .packager(deb.field("Maintainer"))
        .group(deb.field("Section"))
        .build_host("testbed");
    if let Some(epoch) = version.epoch {
        builder.epoch(epoch);
    }
    if !deb.field("Homepage").is_empty() {
        builder.url(deb.field("Homepage"));
    }
    add_relations(&mut builder, &deb, &version, distilled);
    add_scriptlets(&mut builder, &scriptlets, distilled);
    for name in super::accounts::names(&files) {
        builder.provides(Dependency::any(name));
    }
    add_files(&mut builder, files, &deb.conffiles, distilled)?;
    builder.build().with_context(|| format!("{name}: build the RPM"))
}

/// RPM's name for a Debian architecture.
pub fn rpm_arch(debian: &str) -> Result<&'static str> {
    let known = [("all", "noarch"), ("amd64", "x86_64"), ("arm64", "aarch64"), ("armhf", "armv7hl")];
    let found = known.iter().find(|(name, _)| *name == debian);
    Ok(found.with_context(|| format!("architecture {debian:?}: expected one of all, amd64, arm64, armhf"))?.1)
}

/// Reproducible settings; the payload compressor differs from package to package, so that readers meet them all.
pub fn build_config(name: &str, newest: u32) -> BuildConfig {
    let time = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(newest);
    let sum: usize = name.bytes().map(usize::from).sum();
    let compression = match sum % 8 {
        0 => CompressionWithLevel::Gzip(6),
        1 => CompressionWithLevel::Xz(3),
        2 => CompressionWithLevel::Bzip2(9),
        _ => CompressionWithLevel::Zstd(7),
    };
    BuildConfig::v4().source_date(time).compression(compression)
}

fn add_relations(builder: &mut PackageBuilder, deb: &Deb, own: &RpmVersion, distilled: &Distilled) {
    let field = |name: &str| -> Relations {
        let mut relations = relation::parse(deb.field(name));
        relations.retain(|group| !distilled.forget.iter().any(|gone| gone == "*" || *gone == group[0].name));
        relations
    };
    let (provides, replaces) = (field("Provides"), field("Replaces"));
    let against = [field("Conflicts"), field("Breaks")].concat();
    for dependency in relation::dependencies(&field("Depends")) {
        builder.requires(dependency);
    }
    for dependency in
        relation::with_phase(relation::dependencies(&field("Pre-Depends")), DependencyFlags::SCRIPT_PRE)
    {
        builder.requires(dependency);
    }
    for dependency in relation::dependencies(&field("Recommends")) {
        builder.recommends(dependency);
    }
    for dependency in relation::dependencies(&field("Suggests")) {
        builder.suggests(dependency);
    }
    for dependency in relation::dependencies(&field("Enhances")) {
        builder.enhances(dependency);
    }
    for dependency in relation::obsoletes(&replaces, &against, &provides) {
        builder.obsoletes(dependency);
    }
    for dependency in relation::dependencies(&against) {
        builder.conflicts(dependency);
    }
    let more = distilled.provides.iter().map(|text| parse_dependency(text));
    for dependency in relation::provides(&provides, own).into_iter().chain(more) {
        builder.provides(dependency);
    }
}

/// A dependency in RPM's own words: `name`, `name >= 1.0-1` or `(rich or text)`.
pub fn parse_dependency(text: &str) -> Dependency {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        [name, operator, version] if !text.starts_with('(') => match operator {
            "<" => Dependency::less(name, version),
            "<=" => Dependency::less_eq(name, version),
            "=" => Dependency::eq(name, version),
            ">" => Dependency::greater(name, version),
            _ => Dependency::greater_eq(name, version),
        },
        _ => Dependency::any(text),
    }
}

/// Adds scriptlets, each run by `/bin/sh`, what they need at that moment, and the accounts that they make as provided
/// names: the builder recommends `user(NAME)` and `group(NAME)` for each owner of a file.
pub fn add_scriptlets(builder: &mut PackageBuilder, scriptlets: &Scriptlets, distilled: &Distilled) {
    let shell = |text: &String| Scriptlet::new(text.clone()).prog(vec!["/bin/sh"]);
    let needs = |builder: &mut PackageBuilder, names: &[String], phase| {
        for dependency in relation::with_phase(names.iter().map(|n| parse_dependency(n)).collect(), phase) {
            builder.requires(dependency);
        }
    };
    if !scriptlets.pre.is_empty() {
        builder.pre_install_script(shell(&scriptlets.pre));
        if scriptlets.pre.contains("getent") {
            needs(builder, &["passwd", "login", "libc-bin"].map(str::to_owned), DependencyFlags::SCRIPT_PRE);
        }
    }
    if !scriptlets.post.is_empty() {
        builder.post_install_script(shell(&scriptlets.post));
        let tools = [("ldconfig", "/sbin/ldconfig"), ("ln -s", "coreutils"), ("mkdir", "coreutils")];
        let tools: BTreeSet<_> = tools.iter().filter(|(word, _)| scriptlets.post.contains(word)).collect();
        let tools: BTreeSet<String> = tools.iter().map(|(_, need)| (*need).to_owned()).collect();
        needs(builder, &Vec::from_iter(tools), DependencyFlags::SCRIPT_POST);
        if scriptlets.post.contains("systemctl") {
            builder.order_with_requires(Dependency::any("systemd"));
        }
    }
    if !scriptlets.posttrans.is_empty() {
        builder.post_trans_script(shell(&scriptlets.posttrans));
    }
    if !scriptlets.preun.is_empty() {
        builder.pre_uninstall_script(shell(&scriptlets.preun));
    }
    if !scriptlets.postun.is_empty() {
        builder.post_uninstall_script(shell(&scriptlets.postun));
    }
    for (kind, lines) in
        [("user", &distilled.users), ("group", &distilled.users), ("group", &distilled.groups)]
    {
        for line in lines {
            let name = line.split(' ').next_back().unwrap_or_default();
            builder.provides(Dependency::any(format!("{kind}({name})")));
        }
    }
    needs(builder, &distilled.requires_pre, DependencyFlags::SCRIPT_PRE);
    needs(builder, &distilled.requires_post, DependencyFlags::SCRIPT_POST);
}

/// Short licence names of a machine-readable copyright file, joined as SPDX does.
fn license(files: &BTreeMap<String, Entry>) -> String {
    let copyright = files.values().find_map(|entry| match &entry.kind {
        Kind::File(body) if entry.path.ends_with("/copyright") => Some(String::from_utf8_lossy(body)),
        _ => None,
    });
    let copyright = copyright.unwrap_or_default();
    let names: BTreeSet<&str> = copyright.lines().filter_map(|line| line.strip_prefix("License: ")).collect();
    let short = names.into_iter().map(str::trim).filter(|name| !name.is_empty() && name.len() < 40);
    let short: Vec<&str> = short.take(4).collect();
    if short.is_empty() { "Various".to_owned() } else { short.join(" AND ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, mode: u16, owner: (&str, &str), kind: Kind) -> Entry {
        let (user, group) = (owner.0.to_owned(), owner.1.to_owned());
        Entry { path: path.to_owned(), mode, user, group, mtime: 1_600_000_000, kind }
    }

    #[test]
    fn keeps_owners_modes_links_flags_and_relations() {
        let fields = [
            ("Package", "demo"),
            ("Version", "1:2.0-1-3"),
            ("Architecture", "amd64"),
            ("Description", "short\nlong"),
            ("Depends", "a | b, libc6 (>= 2.3)"),
            ("Breaks", "demo-old (<< 2)"),
        ];
        let root = ("root", "root");
        let deb = Deb {
            control: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            conffiles: BTreeSet::from(["/etc/demo.conf".to_owned()]),
            entries: vec![
                entry("/bin", 0o755, root, Kind::Dir),
                entry("/bin/demo", 0o4754, ("root", "mail"), Kind::File(b"x".to_vec())),
                entry("/bin/demo2", 0o755, root, Kind::File(b"yy".to_vec())),
                entry("/bin/demo3", 0o755, root, Kind::Hardlink("/bin/demo2".into())),
                entry("/etc/demo.conf", 0o600, root, Kind::File(Vec::new())),
                entry("/lib/link", 0o777, root, Kind::Symlink("../x".into())),
                entry("/usr/share/doc/demo/copyright", 0o644, root, Kind::File(b"License: MIT\n".to_vec())),
                entry("/usr/share/doc/demo/NEWS", 0o644, root, Kind::File(b"n".to_vec())),
            ],
            newest: 1_600_000_000,
            ..Deb::default()
        };
        let caps = BTreeMap::from([("/usr/bin/demo2".to_owned(), "cap_net_raw=ep".to_owned())]);
        let caps3 = [("/usr/bin/demo3".to_owned(), "cap_net_raw=ep".to_owned())];
        let distilled = Distilled { caps: caps.into_iter().chain(caps3).collect(), ..Distilled::default() };
        let metadata = convert(deb, &distilled).expect("builds").metadata;
        let nevra = metadata.get_nevra().expect("nevra").to_string();
        assert_eq!(
            (nevra.as_str(), metadata.get_license().expect("license")),
            ("demo-1:2.0_1-3.x86_64", "MIT")
        );
        let line = |file: rpm::FileEntry<'_>| {
            let (path, mode) = (file.path().display().to_string(), file.mode().raw_mode());
            format!(
                "{path} {mode:o} {}:{} {:?} {}",
                file.user(),
                file.group(),
                file.flags(),
                file.caps().unwrap_or("-")
            )
        };
        let files: Vec<String> = metadata.get_file_entries().expect("files").into_iter().map(line).collect();
        assert_eq!(
            files,
            [
                "/etc/demo.conf 100600 root:root FileFlags(CONFIG | NOREPLACE) ",
                "/usr/bin/demo 104754 root:mail FileFlags(0x0) ",
                "/usr/bin/demo2 100755 root:root FileFlags(0x0) cap_net_raw=ep",
                "/usr/bin/demo3 100755 root:root FileFlags(0x0) cap_net_raw=ep",
                "/usr/lib/link 120777 root:root FileFlags(0x0) ",
                "/usr/share/doc/demo/NEWS 100644 root:root FileFlags(DOC) ",
                "/usr/share/doc/demo/copyright 100644 root:root FileFlags(LICENSE) ",
            ]
        );
        let inodes =
            metadata.header.get_entry_data_as_u32_array(rpm::IndexTag::RPMTAG_FILEINODES).expect("inodes");
        assert!(inodes[2] == inodes[3] && inodes[1] != inodes[2], "{inodes:?}");
        let texts = |list: Vec<Dependency>| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let requires = texts(metadata.get_requires().expect("requires"));
        assert!(
            ["(a or b)", "libc6 >= 2.3"].iter().all(|want| requires.iter().any(|r| r == want)),
            "{requires:?}"
        );
        assert_eq!(texts(metadata.get_conflicts().expect("conflicts")), ["demo-old < 2"]);
    }

    #[test]
    fn reads_rpm_dependencies() {
        for text in ["plain", "a >= 1:2-3", "a < 1", "(a or b >= 2)", "(a if b)"] {
            assert_eq!(parse_dependency(text).to_string(), text);
        }
        assert!(parse_dependency("(a or b)").flags == DependencyFlags::ANY);
    }
}
