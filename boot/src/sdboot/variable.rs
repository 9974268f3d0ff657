//! The firmware variables between systemd-boot and the system it booted.
//!
//! Each is a file of efivarfs: attributes, then UTF-16 text with a NUL. The vendor is
//! 4a67b082-0a4c-41cf-b6c7-440b29bb8c4f. Source: systemd's boot loader interface.

use super::name::CountedName;
use crate::Result;
use crate::efi::{Variable, text};
use crate::error::Error;

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

/// The file that was booted, relative to its partition, under the name it had after the loader's rename.
pub fn count_path(file: &[u8]) -> Result<(String, CountedName)> {
    let value = text::decode(Variable::decode(file)?.data)?;
    let parts: Vec<&str> = value.split('\\').collect();
    let normal = |part: &&str| !part.is_empty() && **part != *"." && **part != *".." && !part.contains('/');
    let (Some((&"", [folders @ .., name])), true) = (parts.split_first(), parts.iter().skip(1).all(normal))
    else {
        return Err(Error::malformed(COUNT_PATH, "an absolute path without . or ..", value));
    };
    let Some(counted) = CountedName::parse(name).filter(|name| name.counter.is_some()) else {
        return Err(Error::malformed(COUNT_PATH, "a file name with a counter", *name));
    };
    Ok((folders.iter().map(|folder| format!("{folder}/")).collect(), counted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdboot::conf::pins_another;

    fn file(path: &str) -> Vec<u8> {
        Variable { attributes: 6, data: &text::encode(path) }.encode()
    }

    #[test]
    fn reads_the_path_of_the_booted_file() {
        let (folder, name) = count_path(&file("\\loader\\entries\\ostree-7+02-01.conf")).unwrap();
        assert_eq!((folder.as_str(), name.to_string().as_str()), ("loader/entries/", "ostree-7+02-01.conf"));
        for bad in [
            "loader\\entries\\a+1.conf",
            "\\loader\\..\\a+1.conf",
            "\\loader\\\\a+1.conf",
            "\\a.conf",
            "\\",
            "",
            "\\loader/entries\\a+1.conf",
        ] {
            let error = count_path(&file(bad)).unwrap_err().to_string();
            assert!(error.starts_with("LoaderBootCountPath"), "{bad}: {error}");
        }
        assert!(count_path(&[6, 0, 0, 0, b'\\']).is_err() && count_path(&[]).is_err());
    }

    #[test]
    fn a_default_that_cannot_be_read_is_no_pattern_of_ours() {
        assert_eq!(default_pattern(&file("ostree-1.conf")), "ostree-1.conf");
        for bad in [&[][..], &[7, 0, 0, 0], &[7, 0, 0, 0, b'*', 0]] {
            assert!(pins_another(Some(&default_pattern(bad)), "ostree-7"), "{bad:?}");
        }
    }
}
