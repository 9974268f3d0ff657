//! The firmware variables between systemd-boot and the system it booted.
//!
//! Each is a file of efivarfs: attributes, then UTF-16 text with a NUL. The vendor is
//! 4a67b082-0a4c-41cf-b6c7-440b29bb8c4f. Source: systemd's boot loader interface.

/// Vendor of the boot loader interface.
pub const GUID: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// Their length before the text.
const ATTRIBUTES: usize = 4;

const DEFAULT: &str = "LoaderEntryDefault";
const ONE_SHOT: &str = "LoaderEntryOneShot";
const COUNT_PATH: &str = "LoaderBootCountPath";

/// The efivarfs name of the variable that says which counted file was booted.
pub fn count_path_name() -> String {
    format!("{COUNT_PATH}-{GUID}")
}

/// The efivarfs name of the variable by which `bootctl set-default`, or the menu, chooses an entry.
pub fn default_name() -> String {
    format!("{DEFAULT}-{GUID}")
}

/// The efivarfs name of the variable by which another program chooses the entry of the next boot alone.
pub fn one_shot_name() -> String {
    format!("{ONE_SHOT}-{GUID}")
}

/// The text of a variable, which names entries: what is no ASCII, or has no end, becomes a `/`, which is in no entry's name.
pub fn text(file: &[u8]) -> String {
    let (pairs, _) = file.get(ATTRIBUTES..).unwrap_or_default().as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    for pair in pairs {
        match pair {
            [0, 0] => return text,
            [byte @ 1..0x80, 0] => text.push(char::from(*byte)),
            _ => text.push('/'),
        }
    }
    text.push('/');
    text
}

/// Whether the counted file of this entry is the one that was booted; `stem` is its name without counters.
pub fn is_boot_of(file: &[u8], stem: &str) -> bool {
    let text = text(file);
    let name = text.strip_prefix("\\loader\\entries\\");
    name.and_then(|name| name.strip_prefix(stem)).is_some_and(|rest| rest.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::efi::{self, Variable};
    use crate::sdboot::conf::pins_another;

    fn file(path: &str) -> Vec<u8> {
        Variable { attributes: 6, data: &efi::text::encode(path) }.encode()
    }

    #[test]
    fn knows_the_booted_file_by_its_path() {
        for (path, is_it) in [
            ("\\loader\\entries\\ostree-7+02-01.conf", true),
            ("\\loader\\entries\\ostree-7+2-1.conf", true),
            ("\\loader\\entries\\ostree-7.conf", false),
            ("\\loader\\entries\\ostree-71+2-1.conf", false),
            ("\\loader\\entries\\ostree-6+2-1.conf", false),
            ("\\entries\\ostree-7+02-01.conf", false),
            ("", false),
        ] {
            assert_eq!(is_boot_of(&file(path), "ostree-7"), is_it, "{path}");
        }
        let cut = &file("\\loader\\entries\\ostree-7+2-1.conf")[..20];
        assert!(!is_boot_of(cut, "ostree-7") && !is_boot_of(&[], "ostree-7"));
    }

    #[test]
    fn a_default_that_cannot_be_read_is_no_pattern_of_ours() {
        assert_eq!(text(&file("ostree-1.conf")), "ostree-1.conf");
        for bad in [&[][..], &[7, 0, 0, 0], &[7, 0, 0, 0, b'*', 0]] {
            assert!(pins_another(Some(&text(bad)), "ostree-7"), "{bad:?}");
        }
    }
}
