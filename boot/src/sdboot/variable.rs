//! The firmware variables between systemd-boot and the system it booted.
//!
//! Each is a file of efivarfs: attributes, then UTF-16 text with a NUL. The vendor is
//! 4a67b082-0a4c-41cf-b6c7-440b29bb8c4f. Source: systemd's boot loader interface.

use crate::efi::{Variable, text};

/// Vendor of the boot loader interface.
pub const GUID: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

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

/// The pattern of the entries that it chooses; text that cannot be read chooses none of ours.
pub fn default_pattern(file: &[u8]) -> String {
    let text = Variable::decode(file).and_then(|variable| text::decode(variable.data));
    text.unwrap_or_else(|error| format!("({error})"))
}

/// Whether the counted file of this entry is the one that was booted; `stem` is its name without counters.
pub fn is_boot_of(file: &[u8], stem: &str) -> bool {
    let path = text::encode(&format!("\\loader\\entries\\{stem}+"));
    // attributes before, a NUL after
    let path = path.get(..path.len().saturating_sub(2)).unwrap_or_default();
    file.get(4..).is_some_and(|data| data.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdboot::conf::pins_another;

    fn file(path: &str) -> Vec<u8> {
        Variable { attributes: 6, data: &text::encode(path) }.encode()
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
        assert_eq!(default_pattern(&file("ostree-1.conf")), "ostree-1.conf");
        for bad in [&[][..], &[7, 0, 0, 0], &[7, 0, 0, 0, b'*', 0]] {
            assert!(pins_another(Some(&default_pattern(bad)), "ostree-7"), "{bad:?}");
        }
    }
}
