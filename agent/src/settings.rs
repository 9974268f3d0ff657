//! `/etc/rootling/agent.conf`: what this device's owner decided.
//!
//! ```text
//! [boot]
//! loader=auto             grub, greenboot, systemd-boot, u-boot, extlinux, efi, raspberry-pi; none: entries only
//! grubenv=/boot/grub2/grubenv
//! partition=/efi          where the FAT partition of systemd-boot or efi is mounted
//! tries=3                 of a new deployment; 0: none has to prove itself
//! timeout=5               seconds of GRUB's menu
//! [pull]
//! memory-limit=40         MiB that unpacking a part of a delta of `ostree` may take
//! [health]
//! check-timeout=60        seconds for one check
//! deadline=300            seconds for all of them
//! watchdog=/dev/watchdog  kept awake while checks run, let go once they passed
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rootling_object::keyfile::Keyfile;
use rootling_store::sysroot::loader;

use crate::error::{Error, Result};

/// Everything the file says, or what holds without it.
#[derive(Debug)]
pub struct Settings {
    /// Which loader there is.
    pub boot: loader::Settings,
    /// How often a new deployment is tried.
    pub tries: Option<u32>,
    /// Seconds of a boot menu.
    pub menu_s: u32,
    /// Bytes of memory that unpacking a part of a foreign delta may take.
    pub memory_limit: u64,
    /// For one check.
    pub check: Duration,
    /// For all checks.
    pub deadline: Duration,
    /// The hardware watchdog.
    pub watchdog: Option<PathBuf>,
}

/// Reads the file below the running root; a key that is not known is refused by name.
pub fn read(root: &Path) -> Result<Settings> {
    let path = root.join("etc/rootling/agent.conf");
    let place = path.display().to_string();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| Error::io(&place, &error))?,
    };
    parse(&text).map_err(|text| Error::refused(format_args!("{place}: {text}")))
}

fn parse(text: &str) -> Result<Settings, String> {
    let keyfile = Keyfile::parse(text).map_err(|error| error.to_string())?;
    let mut settings = Settings {
        boot: loader::Settings::default(),
        tries: None,
        menu_s: 5,
        memory_limit: 40 << 20,
        check: Duration::from_secs(60),
        deadline: Duration::from_secs(300),
        watchdog: None,
    };
    for group in keyfile.groups() {
        for key in keyfile.keys(group) {
            let value = keyfile.get(group, key).unwrap_or_default();
            let number = || {
                let wrong = |_| format!("[{group}] {key}: expected a whole number, got {value:?}");
                value.parse::<u32>().map_err(wrong)
            };
            let seconds = || number().map(|s| Duration::from_secs(s.into()));
            match (group, key) {
                ("boot", "loader") => settings.boot.loader = Some(value.into()),
                ("boot", "grubenv") => settings.boot.grubenv = Some(value.trim_start_matches('/').into()),
                ("boot", "partition") => settings.boot.partition = Some(value.trim_matches('/').into()),
                ("boot", "tries") => settings.tries = Some(number()?),
                ("boot", "timeout") => settings.menu_s = number()?,
                ("pull", "memory-limit") => settings.memory_limit = u64::from(number()?) << 20,
                ("health", "check-timeout") => settings.check = seconds()?,
                ("health", "deadline") => settings.deadline = seconds()?,
                ("health", "watchdog") => settings.watchdog = Some(value.into()),
                _ => return Err(format!("[{group}] {key}: key is not known, got {value:?}")),
            }
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_holds_and_refuses_what_it_does_not_know() {
        let none = parse("").unwrap();
        assert_eq!((none.tries, none.check.as_secs(), none.watchdog), (None, 60, None));
        assert_eq!(parse("[pull]\nmemory-limit=7\n").unwrap().memory_limit, 7 << 20);
        let some = parse("[boot]\nloader=u-boot\ntries=2\n[health]\ndeadline=9\nwatchdog=/dev/w\n").unwrap();
        assert_eq!(some.boot.loader.as_deref(), Some("u-boot"));
        assert_eq!((some.tries, some.deadline.as_secs()), (Some(2), 9));
        for (text, part) in [
            ("[boot]\nloder=x\n", "[boot] loder: key is not known"),
            ("[boot]\ntries=-1\n", "expected a whole number"),
            ("[health]\ncheck-timeout=1m\n", "expected a whole number, got \"1m\""),
            ("[other]\nx=y\n", "[other] x"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
    }
}
