//! `extlinux.conf`: a menu that U-Boot's `sysboot` and syslinux read.
//!
//! ```text
//! default LABEL
//! timeout TENTHS
//! label LABEL
//!   kernel PATH   initrd PATH   fdt PATH   fdtdir PATH   append ARGUMENTS
//! ```
//! It has no counting: with U-Boot's bootcount beside it, or not armed at all. Source: U-Boot 2023.01
//! `doc/README.pxe`, syslinux.

use crate::entry::Entry;
use crate::loader::tried_entry;

/// The menu's name in a loader folder.
pub const EXTLINUX_MENU: &str = "extlinux.conf";

/// One way to boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    /// What names it.
    pub name: String,
    /// `kernel`, `linux`.
    pub kernel: Option<String>,
    /// `initrd`.
    pub initrd: Option<String>,
    /// `fdt`, `devicetree`.
    pub fdt: Option<String>,
    /// `fdtdir`, `devicetreedir`.
    pub fdtdir: Option<String>,
    /// `append`.
    pub append: Option<String>,
}

/// What of the file decides what boots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extlinux {
    /// `default`.
    pub default: Option<String>,
    /// In order.
    pub labels: Vec<Label>,
}

/// The text for a list of entries, the first the default and on trial or not.
pub fn extlinux(entries: &[Entry], on_trial: bool, timeout_s: u32) -> String {
    let mut text = format!(
        "# Written by rootling with each list of deployments; changes are lost.\n\
         default ostree-1\ntimeout {}\n",
        timeout_s.saturating_mul(10)
    );
    for (place, entry) in entries.iter().enumerate() {
        let entry = &if place == 0 && on_trial { tried_entry(entry) } else { entry.clone() };
        text.push_str(&format!("\nlabel ostree-{}\n", place.saturating_add(1)));
        let title = ("menu label", entry.get("title").map(String::from));
        let initrds = entry.initrds().next().map(String::from);
        let of = |key| entry.get(key).map(String::from);
        for (word, value) in [
            title,
            ("kernel", of("linux")),
            ("initrd", initrds),
            ("fdt", of("devicetree")),
            ("fdtdir", of("fdtdir")),
            ("append", of("options")),
        ] {
            value.iter().for_each(|value| text.push_str(&format!("  {word} {value}\n")));
        }
    }
    text
}

impl Extlinux {
    /// Reads a file; words that are not known here are passed over.
    pub fn parse(text: &str) -> Extlinux {
        let mut found = Extlinux::default();
        for line in text.lines().map(str::trim) {
            let Some((word, value)) = line.split_once([' ', '\t']) else { continue };
            let value = value.trim();
            match (word.to_ascii_lowercase().as_str(), found.labels.last_mut()) {
                ("default", _) => found.default = Some(value.into()),
                ("label", _) => found.labels.push(Label { name: value.into(), ..Label::default() }),
                ("kernel" | "linux", Some(label)) => label.kernel = Some(value.into()),
                ("initrd", Some(label)) => label.initrd = Some(value.into()),
                ("fdt" | "devicetree", Some(label)) => label.fdt = Some(value.into()),
                ("fdtdir" | "devicetreedir", Some(label)) => label.fdtdir = Some(value.into()),
                ("append", Some(label)) => label.append = Some(value.into()),
                _ => {}
            }
        }
        found
    }

    /// The label that boots when nobody chooses: the default, else the first.
    pub fn chosen(&self) -> Option<&Label> {
        let named =
            self.default.as_ref().and_then(|name| self.labels.iter().find(|label| label.name == *name));
        named.or(self.labels.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let entries =
            ["title A 1\noptions quiet ostree=/x\nlinux /k\ninitrd /i\n", "linux /k2\nfdtdir /dtb\n"];
        let text = extlinux(&entries.map(Entry::parse), true, 1);
        assert!(text.contains("timeout 10\n"));
        let read = Extlinux::parse(&text);
        assert_eq!(read.labels.len(), 2);
        let chosen = read.chosen().unwrap();
        assert_eq!(
            (chosen.kernel.as_deref(), chosen.append.as_deref()),
            (Some("/k"), Some("quiet ostree=/x rootling.trial panic=10"))
        );
        assert_eq!(read.labels[1].fdtdir.as_deref(), Some("/dtb"));
    }

    #[test]
    fn reads_what_others_write() {
        let text = "DEFAULT two\nkernel /lost\nLABEL one\n\tLINUX /k1\nLABEL two\n\tKERNEL  /k2 \n\tDEVICETREE /d\nui x\n";
        let read = Extlinux::parse(text);
        assert_eq!(read.chosen().unwrap().kernel.as_deref(), Some("/k2"));
        assert_eq!(Extlinux::parse("label a\ndefault gone\n").chosen().unwrap().name, "a");
        assert_eq!(Extlinux::parse("").chosen(), None);
    }
}
