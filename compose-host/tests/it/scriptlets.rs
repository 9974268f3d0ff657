//! Scriptlets in the sandbox, on a small tree of real packages.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rootling_compose::scriptlet;
use rpm::{FileOptions, PackageBuilder, Scriptlet};

use crate::rpms::{self, builder, write};
use crate::tree::bed;

/// Installs a shell, and packages on top; the error of their scriptlets, or what they left in `/out`.
fn run(packages: &mut [PackageBuilder]) -> (Result<String, String>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut files = bed(&["dash", "coreutils"]);
    files.extend(packages.iter_mut().map(|builder| write(dir.path(), builder)));
    let root = dir.path().join("root");
    let mut unpacked = rpms::unpack(&root, &files).unwrap_or_else(|error| panic!("{error:#}"));
    let result = scriptlet::run_all(&root, &mut unpacked, 1_700_000_000);
    let read = |root: &Path| std::fs::read_to_string(root.join("out")).unwrap_or_default();
    (result.map(|_| read(&root)).map_err(|error| format!("{error:#}")), dir)
}

#[test]
fn all_pre_then_all_post_then_all_posttrans_in_order() {
    let package = |name: &str, needs: Option<&str>| {
        let mut builder = builder(name);
        for phase in ["pre", "post", "posttrans"] {
            let script = Scriptlet::new(format!("echo {phase} {name} $1 >> /out"));
            match phase {
                "pre" => builder.pre_install_script(script),
                "post" => builder.post_install_script(script),
                _ => builder.post_trans_script(script),
            };
        }
        builder.pre_uninstall_script(Scriptlet::new("echo preun >> /out"));
        builder.post_uninstall_script(Scriptlet::new("echo postun >> /out"));
        builder.pre_trans_script(Scriptlet::new("echo pretrans >> /out"));
        if let Some(needs) = needs {
            builder.requires(rpm::Dependency::any(needs));
        }
        builder
    };
    let (out, _dir) = run(&mut [package("zz-needed", None), package("zz-a-user", Some("zz-needed"))]);
    let expected = "pre zz-needed 1\npre zz-a-user 1\npost zz-needed 1\npost zz-a-user 1\n\
                    posttrans zz-needed 1\nposttrans zz-a-user 1\n";
    assert_eq!(out.unwrap(), expected);
}

#[test]
fn the_surroundings_are_fixed() {
    let script = "echo $LANG $PATH $SOURCE_DATE_EPOCH $SYSTEMD_OFFLINE ${TZ-none} ${HOME-none} $(umask) >> /out\n\
                  ls /sys/class/net 2>/dev/null >> /out; wc -l < /proc/net/route >> /out\n\
                  echo $(id -u) $(ls /usr/share/rpm 2>&1 | wc -l) $(test -e /work && echo host) >> /out\n\
                  echo x > /tmp/gone; echo x > /run/gone; touch /made";
    let mut package = builder("surroundings");
    package.post_install_script(Scriptlet::new(script));
    let (out, dir) = run(&mut [package]);
    let expected = "C.UTF-8 /usr/sbin:/usr/bin:/sbin:/bin 1700000000 1 none none 0022\n1\n0 1\n";
    assert_eq!(out.unwrap(), expected);
    let root = dir.path().join("root");
    assert!(!root.join("tmp/gone").exists() && !root.join("run/gone").exists());
    assert_eq!(std::fs::metadata(root.join("made")).unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn owners_come_from_accounts_that_pre_makes() {
    let mut package = builder("owner");
    package.pre_install_script(Scriptlet::new(
        "echo 'svc:x:321:' >> /etc/group; echo 'svc:x:321:321::/:/bin/false' >> /etc/passwd",
    ));
    let options = FileOptions::new("/usr/bin/svc").user("svc").group("svc").permissions(0o6755);
    package.with_file_contents("svc", options).unwrap();
    let lost = FileOptions::new("/usr/bin/lost").user("nobody-here").caps("cap_chown=ep").unwrap();
    package.with_file_contents("lost", lost).unwrap();
    let (out, dir) = run(&mut [package]);
    out.unwrap();
    let stat = std::fs::metadata(dir.path().join("root/usr/bin/svc")).unwrap();
    assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o7777), (321, 321, 0o6755));
    let lost = dir.path().join("root/usr/bin/lost");
    assert_eq!(std::fs::metadata(&lost).unwrap().uid(), 0);
    let mut caps = [0u8; 20];
    assert_eq!(rustix::fs::lgetxattr(&lost, "security.capability", &mut caps), Ok(20));
}

#[test]
fn a_failing_scriptlet_says_which_and_why() {
    let mut package = builder("failing");
    package.post_install_script(Scriptlet::new("seq 1 50\necho reason >&2\nexit 7"));
    let (out, _dir) = run(&mut [package]);
    let error = out.unwrap_err();
    let start = "package failing-1.0-1.noarch: %post scriptlet: expected exit status 0, got exit status: 7; its last lines:\n32\n";
    assert!(error.starts_with(start) && error.ends_with("50\nreason"), "{error}");
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let lua = |mut builder: PackageBuilder| {
        builder.post_install_script(Scriptlet::new("print(1)").prog(vec!["<lua>"]));
        builder
    };
    let mut trigger = builder("triggers");
    trigger.trigger_in("dash", None, Scriptlet::new("true"));
    for (package, reason) in [
        (
            lua(builder("moon")),
            "package moon-1.0-1.noarch: %post is a <lua> scriptlet, which is not supported yet",
        ),
        (trigger, "package triggers-1.0-1.noarch: %triggerin on dash: triggers are not supported yet"),
    ] {
        assert_eq!(run(&mut [package]).0.unwrap_err(), reason);
    }
    // the base system's own are known to be without use
    assert_eq!(run(&mut [lua(builder("libgcc"))]).0.unwrap(), "");
}
