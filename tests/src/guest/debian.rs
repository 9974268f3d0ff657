//! Debian out of the test bed as a guest: systemd and the device program's own units, and a server with TLS.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rpm::{FileOptions, Package, PackageBuilder};

use super::packages::{builder, busybox, debian, file, link, programs};
use super::{Made, Options};
use crate::testbed::AptRoot;
use crate::testbed::kernel::NAME;

/// `lines` is the state of the test bed.
pub const COMMITS: [Made; 3] = [
    Made { name: "good-1", kernel: NAME, packages: "", lines: "base" },
    Made { name: "failed-check", kernel: NAME, packages: ", guest-check-fails", lines: "base" },
    Made { name: "good-2", kernel: NAME, packages: "", lines: "sec" },
];

const UNITS: &str = "/usr/lib/systemd/system";
/// Where the guest finds the CA of its server.
const CA: &str = "/usr/share/guest/ca.pem";

/// The device program's own units.
const OWN: [(&str, &str, &str); 4] = [
    (
        "rootling-confirm.service",
        include_str!("../../../agent/units/rootling-confirm.service"),
        "multi-user.target.wants",
    ),
    (
        "rootling-finalize.service",
        include_str!("../../../agent/units/rootling-finalize.service"),
        "multi-user.target.wants",
    ),
    (
        "rootling-deadline.timer",
        include_str!("../../../agent/units/rootling-deadline.timer"),
        "sysinit.target.wants",
    ),
    ("rootling-deadline.service", include_str!("../../../agent/units/rootling-deadline.service"), ""),
];

/// Those of the guest.
const GUEST: [(&str, &str, &str); 2] = [
    ("guest-boot.service", include_str!("files/systemd/guest-boot.service"), "multi-user.target.wants"),
    ("guest-shell.service", include_str!("files/systemd/guest-shell.service"), "multi-user.target.wants"),
];

const SCRIPTS: [(&str, &str); 2] = [
    ("/usr/lib/guest/boot", include_str!("files/systemd/boot")),
    ("/usr/lib/guest/shell", include_str!("files/systemd/shell")),
];

/// What a guest has beside the test bed's packages; `tls` is the folder for the certificates.
pub fn packages(apt: &AptRoot, options: &Options, tls: &Path) -> Result<Vec<Package>> {
    certificates(tls)?;
    let ca = tls.join("ca.pem");
    let ca = fs::read(&ca).with_context(|| format!("read {}", ca.display()))?;
    let mut rootling = programs("rootling", options)?;
    units(&mut rootling, &OWN)?;
    let mut fails = builder("guest-check-fails", "noarch");
    units(
        &mut fails,
        &[(
            "guest-check.service",
            include_str!("files/systemd/guest-check.service"),
            "boot-complete.target.requires",
        )],
    )?;
    let drop_in = include_str!("../../../agent/units/systemd-bless-boot.service.d/50-rootling.conf");
    let place = format!("{UNITS}/systemd-bless-boot.service.d/50-rootling.conf");
    file(&mut rootling, &place, drop_in.as_bytes(), 0o644)?;
    // with the bless step of its own that distributions ship
    let bless = debian(apt, "systemd-boot", &["/usr/share", "/usr/bin", "/usr/lib/kernel", "/etc"])?;
    Ok(vec![base(&ca)?, rootling.build()?, fails.build()?, busybox(apt)?, bless])
}

fn base(ca: &[u8]) -> Result<Package> {
    let mut base = builder("guest-base", "noarch");
    base.with_dir_entry(FileOptions::dir("/efi").permissions(0o755).user("root").group("root"))?;
    units(&mut base, &GUEST)?;
    for (path, text) in SCRIPTS {
        file(&mut base, path, text.as_bytes(), 0o755)?;
    }
    file(&mut base, CA, ca, 0o644)?;
    let deadline = include_str!("files/systemd/deadline.conf");
    file(&mut base, &format!("{UNITS}/rootling-deadline.timer.d/guest.conf"), deadline.as_bytes(), 0o644)?;
    // the shell has the serial port for itself
    link(&mut base, "/etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")?;
    link(&mut base, "/usr/bin/time", "busybox")?;
    Ok(base.build()?)
}

/// Units, each with a link in a folder of who wants or requires it.
fn units(builder: &mut PackageBuilder, units: &[(&str, &str, &str)]) -> Result<()> {
    for (name, text, folder) in units {
        file(builder, &format!("{UNITS}/{name}"), text.as_bytes(), 0o644)?;
        if !folder.is_empty() {
            link(builder, &format!("{UNITS}/{folder}/{name}"), &format!("../{name}"))?;
        }
    }
    Ok(())
}

/// The treefile of a commit: the test bed's own with the packages of the guest.
pub fn treefile(made: &Made, testbed: &Path, options: &Options) -> String {
    let Made { packages, lines: state, .. } = made;
    let arch = options.arch.debian();
    format!(
        "include: {}/{arch}/manifest/{state}.yaml\nref: guest/{}\nrepos: [guest]\n\
         packages: [guest-base, rootling, busybox-static, systemd-boot{packages}]\nno-initramfs: false\ninitramfs: rootling\n",
        testbed.display(),
        options.target
    )
}

/// A CA, and a certificate by it for the address at which a guest sees this machine; made once.
fn certificates(dir: &Path) -> Result<()> {
    if dir.join("server.pem").exists() {
        return Ok(());
    }
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    fs::write(dir.join("server.ext"), "subjectAltName=IP:10.0.2.2\nbasicConstraints=CA:FALSE\n")?;
    for line in [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -days 3650 -subj /CN=guest"),
        format!("req {key} -keyout server.key -out server.csr -subj /CN=server"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile server.ext \
         -out server.pem"
            .to_owned(),
    ] {
        let output = Command::new("openssl").args(line.split_whitespace()).current_dir(dir).output();
        let output = output.context("start openssl")?;
        if !output.status.success() {
            bail!("openssl {line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_shell_and_units_call_what_is_there() {
        let base = base(b"ca").expect("builds");
        let files = base.metadata.get_file_entries().expect("files");
        let mode = |path: &str| {
            let entry = files.iter().find(|entry| entry.path().to_str() == Some(path)).expect(path);
            entry.mode().raw_mode() & 0o7777
        };
        for (path, text) in SCRIPTS {
            assert_eq!(mode(path), 0o755, "{path}");
            let checked = Command::new("sh").args(["-n", "-c", text]).status().expect("sh");
            assert!(checked.success(), "{path}");
        }
        for (name, text, folder) in GUEST {
            let program = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect(name);
            assert!(SCRIPTS.iter().any(|(path, _)| *path == program), "{name}: {program}");
            mode(&format!("{UNITS}/{folder}/{name}"));
        }
        mode(CA);
    }

    #[test]
    fn units_are_enabled_where_they_ask_for_it() {
        for (name, text, folder) in OWN {
            let wanted = text.lines().find_map(|line| line.strip_prefix("WantedBy="));
            assert_eq!(wanted.map(|target| format!("{target}.wants")).unwrap_or_default(), folder, "{name}");
        }
    }
}
