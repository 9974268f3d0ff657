//! systemd against this crate: the order of versions, by `systemd-analyze compare-versions`.
//!
//! The order of entries is that of `bootctl list` in `oracle_bootctl.rs`; the loader itself is booted by the QEMU suite.

mod common;

use common::{Random, try_tool};
use rootling_boot::sdboot::{CountedName, LoaderConf, boot_order, version_order};
use rootling_boot::{Entry, pi::Autoboot, uboot::Extlinux};
use std::cmp::Ordering;

fn systemd(a: &str, b: &str) -> Ordering {
    let (out, _) = try_tool("systemd-analyze", "systemd", &["compare-versions", a, b]);
    let text = String::from_utf8(out).unwrap();
    // what is compared may hold the sign itself: the two texts are known
    match text.trim_end().strip_prefix(a).and_then(|rest| rest.strip_suffix(b)) {
        Some(" < ") => Ordering::Less,
        Some(" == ") => Ordering::Equal,
        Some(" > ") => Ordering::Greater,
        _ => panic!("systemd-analyze compare-versions {a:?} {b:?} said {text:?}"),
    }
}

#[test]
fn versions_compare_as_systemd_says() {
    let mut random = Random(4);
    let mut seen = [0; 3];
    for round in 0..400 {
        let a = random.text("0129aZ.-~^_+", 6);
        // close pairs find more than random ones
        let b = if round % 2 == 0 {
            random.text("0129aZ.-~^_+", 6)
        } else {
            a.clone() + &random.text("0a.-~^_", 2)
        };
        if a.starts_with('-') || b.starts_with('-') || a.is_empty() || b.is_empty() {
            continue;
        }
        let want = systemd(&a, &b);
        assert_eq!(version_order(&a, &b), want, "{a:?} against {b:?}");
        assert_eq!(version_order(&b, &a), want.reverse(), "{b:?} against {a:?}");
        seen[usize::from(want.is_ge()) + usize::from(want.is_gt())] += 1;
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn mutated_texts_are_read_or_passed_over() {
    let mut random = Random(6);
    let name = b"ostree-7+02-01.conf";
    let conf = b"# x\ntimeout 3\ndefault ostree-*\neditor no\n";
    let autoboot = b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n";
    let extlinux = b"default a\nlabel a\n kernel /k\n append x\nlabel b\n kernel /k2\n";
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let mut names = Vec::new();
    for _ in 0..5000 {
        if let Some(counted) = CountedName::parse(&text(random.mutate(name))) {
            let again = CountedName::parse(&counted.to_string());
            assert_eq!(again.as_ref(), Some(&counted));
            assert!(counted.tried().to_string().len() <= counted.to_string().len() + 3);
            names.push((counted, Entry::default()));
        }
        let conf = LoaderConf::parse(&text(random.mutate(conf)));
        conf.pins_another("ostree-7");
        assert_eq!(LoaderConf::parse(&conf.to_string()), conf);
        if let Ok(autoboot) = Autoboot::parse(&text(random.mutate(autoboot)))
            && let Ok(assigned) = autoboot.assign(7, 8)
        {
            assert_eq!((assigned.partition(false), assigned.partition(true)), (Ok(7), Ok(8)));
        }
        let read = Extlinux::parse(&text(random.mutate(extlinux)));
        read.chosen();
    }
    // a total order, or the sort would panic
    names.sort_by(boot_order);
    assert!(names.len() > 300, "{}", names.len());
}
