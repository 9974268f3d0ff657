//! What the kernel arguments ask for.

use super::error::Error;
use rootling_boot::loader::TRIAL_ARG;
use rootling_boot::{KernelArgs, bootlink};

/// The arguments that concern the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmdline {
    /// `ostree=`: the link to the deployment, below the sysroot.
    pub link: String,
    /// `root=`.
    pub root: Option<String>,
    /// `rootfstype=`, else the file system that the device has.
    pub fstype: Option<String>,
    /// `rootflags=`: options of the file system.
    pub options: String,
    /// Those of `rootflags=` that mount(8) makes flags of mount(2), such as `noatime`.
    pub flags: libc::c_ulong,
    /// `rootwait=SECONDS`, else 30, or a longer `rootdelay=`: `rootwait` alone, for ever to the kernel, is no longer here.
    pub wait_s: u32,
    /// `rootling.watchdog=SECONDS`: armed on a try before the root is touched, for a system in which nothing starts.
    pub watchdog_s: Option<u32>,
    /// `rootling.trial`: the boot is a try. systemd-boot's entries never say so.
    pub is_trial: bool,
    /// The program to start: `rootling.init=`, else `/sbin/init`.
    pub init: String,
}

/// How long a device may take to appear where nothing else is said, and at least with `rootdelay=`, as in Debian's initramfs-tools.
const WAIT_S: u32 = 30;

/// Options that no file system knows. Source: mount(8), "filesystem-independent mount options".
const FLAGS: [(&str, libc::c_ulong); 9] = [
    ("defaults", 0),
    ("noatime", libc::MS_NOATIME),
    ("nodiratime", libc::MS_NODIRATIME),
    ("relatime", libc::MS_RELATIME),
    ("strictatime", libc::MS_STRICTATIME),
    ("lazytime", libc::MS_LAZYTIME),
    ("nodev", libc::MS_NODEV),
    ("sync", libc::MS_SYNCHRONOUS),
    ("dirsync", libc::MS_DIRSYNC),
];

/// What `root=` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A device by its path.
    Path(String),
    /// A file system by its label.
    Label(String),
    /// A file system by its UUID.
    Uuid(String),
    /// A partition by the UUID in the partition table.
    PartUuid(String),
}

impl Wanted {
    /// Reads the value of `root=`.
    pub fn parse(value: &str) -> Result<Wanted, Error> {
        match value.split_once('=') {
            _ if value.starts_with("/dev/") => Ok(Wanted::Path(value.into())),
            Some(("LABEL", label)) if !label.is_empty() => Ok(Wanted::Label(label.into())),
            Some(("UUID", uuid)) if !uuid.is_empty() => Ok(Wanted::Uuid(uuid.to_ascii_lowercase())),
            Some(("PARTUUID", uuid)) if !uuid.is_empty() => Ok(Wanted::PartUuid(uuid.to_ascii_lowercase())),
            _ => Err(Error::refused(format!("root={value}"), "root=/dev/..., LABEL=, UUID= or PARTUUID=")),
        }
    }
}

impl Cmdline {
    /// Reads the text of `/proc/cmdline`.
    pub fn parse(text: &str) -> Result<Cmdline, Error> {
        let args = KernelArgs::parse(text);
        let text = |key: &str| args.last(key).filter(|value| !value.is_empty()).map(String::from);
        let number = |key: &str| text(key).and_then(|value| value.parse().ok());
        let link = bootlink::link_path(&args)
            .map_err(|error| Error::refused(error.to_string(), "a link of a boot entry"))?;
        let link = link.ok_or_else(|| Error::refused("no ostree= argument", "ostree=/ostree/boot.N/..."))?;
        let (flags, options) = mount_options(args.last("rootflags").unwrap_or_default());
        Ok(Cmdline {
            link: link.to_string(),
            root: text("root"),
            fstype: text("rootfstype"),
            options,
            flags,
            wait_s: number("rootwait").unwrap_or(number("rootdelay").unwrap_or(0).max(WAIT_S)),
            watchdog_s: number("rootling.watchdog").filter(|seconds| *seconds > 0),
            is_trial: args.last(TRIAL_ARG).is_some(),
            init: text("rootling.init").unwrap_or_else(|| "/sbin/init".into()),
        })
    }
}

/// Flags, and what is left to the file system.
fn mount_options(text: &str) -> (libc::c_ulong, String) {
    let (mut flags, mut options) = (0, Vec::new());
    for option in text.split(',') {
        match FLAGS.iter().find(|(name, _)| *name == option) {
            Some((_, flag)) => flags |= flag,
            None => options.push(option),
        }
    }
    (flags, options.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_boot_entry_says() {
        let sum = "ab".repeat(32);
        let text = format!(
            "BOOT_IMAGE=/k root=LABEL=ROOT rw rootwait rootflags=data=journal ostree=/ostree/boot.1/os/{sum}/0 rootling.watchdog=60\n"
        );
        let cmdline = Cmdline::parse(&text).unwrap();
        assert_eq!(cmdline.link, format!("ostree/boot.1/os/{sum}/0"));
        let lasting = Cmdline::parse(&format!("ostree=/ostree/links/{sum}.0")).unwrap();
        assert_eq!(lasting.link, format!("ostree/links/{sum}.0"));
        assert_eq!((cmdline.root.as_deref(), cmdline.options.as_str()), (Some("LABEL=ROOT"), "data=journal"));
        assert_eq!((cmdline.wait_s, cmdline.watchdog_s, cmdline.init.as_str()), (30, Some(60), "/sbin/init"));
        let tried = Cmdline::parse(&format!("{} rootling.trial panic=10", text.trim_end())).unwrap();
        assert_eq!((cmdline.is_trial, tried.is_trial), (false, true));
        for (more, want) in [
            ("rootwait", 30),
            ("rootwait=5 rootdelay=300", 5),
            ("rootdelay=7", 30),
            ("rootwait rootdelay=300", 300),
            ("", 30),
        ] {
            let text = format!("ostree=/ostree/links/{sum}.0 {more}");
            assert_eq!(Cmdline::parse(&text).unwrap().wait_s, want, "{more}");
        }
    }

    /// GRUB puts quotes around an argument with a space, others around its value; the kernel takes both.
    #[test]
    fn quotes_are_no_part_of_an_argument() {
        let link = format!("ostree/links/{}.0", "ab".repeat(32));
        for text in [
            format!(
                "BOOT_IMAGE=/k root=/dev/vda \"root=LABEL=MY ROOT\" \"rootflags=subvol=a b,noatime\" \
                 \"ostree=/{link}\" \"rootwait=5\" \"rootling.init=/my init\" \"rootling.trial\" panic=10\n"
            ),
            format!(
                "root=\"LABEL=MY ROOT\" rootflags=\"subvol=a b,noatime\" ostree=\"/{link}\" rootwait=\"5\" \
                 rootling.init=\"/my init\" rootling.trial"
            ),
        ] {
            let cmdline = Cmdline::parse(&text).unwrap();
            assert_eq!(
                (cmdline.link.as_str(), cmdline.root.as_deref()),
                (link.as_str(), Some("LABEL=MY ROOT"))
            );
            assert_eq!((cmdline.flags, cmdline.options.as_str()), (libc::MS_NOATIME, "subvol=a b"), "{text}");
            assert_eq!(
                (cmdline.wait_s, cmdline.init.as_str(), cmdline.is_trial),
                (5, "/my init", true),
                "{text}"
            );
        }
        let later = Cmdline::parse(&format!("\"root=LABEL=MY ROOT\" root=/dev/vda ostree=/{link}")).unwrap();
        assert_eq!(later.root.as_deref(), Some("/dev/vda"));
    }

    #[test]
    fn options_of_mount_are_no_options_of_the_file_system() {
        for (text, flags, options) in [
            ("", 0, ""),
            ("commit=5,data=journal", 0, "commit=5,data=journal"),
            ("noatime", libc::MS_NOATIME, ""),
            ("defaults,noatime,commit=5,nodev", libc::MS_NOATIME | libc::MS_NODEV, "commit=5"),
            ("noatimes", 0, "noatimes"),
        ] {
            assert_eq!(mount_options(text), (flags, options.into()), "{text}");
        }
    }

    #[test]
    fn refuses_to_guess_a_deployment() {
        let sum = "ab".repeat(32);
        let links = ["..", "../x.0", &sum, &format!("{sum}."), &format!("{sum}.0/.."), &format!("{sum}.x")]
            .map(|name| format!("ostree=/ostree/links/{name}"));
        let others = ["", "root=/dev/vda", "ostree=", "ostree=/etc", "ostree=/ostree/boot.0/../x/0"];
        for text in others.into_iter().chain(links.iter().map(String::as_str)) {
            assert!(Cmdline::parse(text).is_err(), "{text:?}");
        }
    }
}
