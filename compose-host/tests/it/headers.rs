//! 446 real headers of Fedora 44 and CentOS Stream 9 and 10 as repositories: what they solve to, and dnf's answer.

use std::fmt::Write as _;

use rootling_compose::repo::in_primary;
use rootling_compose::rpmfile::Package;
use rootling_compose::rpmfile::header::Header;

use crate::sets::ours;
use crate::{dnf, repos, rpmdb};

/// Kind in the repository text, and the tags of names, flags and versions.
const LISTS: [(char, u32, u32, u32); 6] = [
    ('P', 1047, 1112, 1113),
    ('R', 1049, 1048, 1050),
    ('C', 1054, 1053, 1055),
    ('O', 1090, 1114, 1115),
    ('M', 5046, 5048, 5047),
    ('S', 5052, 5054, 5053),
];

fn describe(text: &mut String, package: &Package) {
    let nevra = &package.nevra;
    let epoch = nevra.epoch.map_or(String::new(), |epoch| format!("{epoch}:"));
    writeln!(text, "{}-{epoch}{}-{}.{}", nevra.name, nevra.version, nevra.release, nevra.arch).unwrap();
    let header: &Header = &package.header;
    for (kind, names, flags, versions) in LISTS {
        let (flags, versions) = (header.numbers(flags), header.texts(versions));
        for (index, name) in header.texts(names).iter().enumerate() {
            let own = kind == 'P' && **name == *nevra.name;
            if name.starts_with("rpmlib(") || own {
                continue;
            }
            let sign = match flags[index] & 0xe {
                2 => "<",
                4 => ">",
                8 => "=",
                10 => "<=",
                12 => ">=",
                _ => "",
            };
            match (sign, versions[index].as_ref()) {
                ("", _) | (_, "") => writeln!(text, "{kind} {name}").unwrap(),
                (sign, version) => writeln!(text, "{kind} {name} {sign} {version}").unwrap(),
            }
        }
    }
    let directories = header.texts(1118);
    for (name, directory) in header.texts(1117).iter().zip(header.numbers(1116)) {
        let path = format!("{}{name}", directories[directory as usize]);
        let kind = if in_primary(&path) { 'F' } else { 'L' };
        writeln!(text, "{kind} {path}").unwrap();
    }
}

#[test]
fn real_headers_solve_as_dnf_solves_them() {
    let scratch = tempfile::tempdir().unwrap();
    let mut solved = 0;
    for (image, count) in rpmdb::IMAGES {
        let packages: Vec<Package> = rpmdb::packages(&rpmdb::open(image, scratch.path()))
            .into_iter()
            .map(|(_, package)| package)
            .collect();
        let mut text = String::new();
        packages.iter().for_each(|package| describe(&mut text, package));
        let repo = [repos::write(scratch.path(), image, None, &text)];
        let names: Vec<&str> = packages.iter().map(|package| package.nevra.name.as_str()).collect();
        let mut queries = Vec::new();
        for packages in [&names[..], &["bash"], &["rpm"], &["systemd"], &["/usr/bin/curl", "coreutils"]] {
            for weak in [false, true] {
                queries.push(dnf::Query { repos: &repo, packages, exclude: &[], weak });
            }
        }
        for (query, dnfs) in queries.iter().zip(dnf::install(&queries)) {
            let ours = ours(&repo, query.packages, &[], query.weak);
            if query.packages.len() == count {
                assert_eq!(ours.as_ref().map(Vec::len), Ok(count), "{image}");
                solved += count;
            }
            match (&ours, &dnfs) {
                (Ok(ours), Ok(dnfs)) => assert_eq!(ours, dnfs, "{image} {:?} {}", query.packages, query.weak),
                (Err(_), Err(_)) => {}
                other => panic!("{image} {:?} {}: {other:?}", query.packages, query.weak),
            }
        }
    }
    assert_eq!(solved, 2 * 446);
}
