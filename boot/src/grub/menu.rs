//! `loader/grub.cfg`: the boot entries of a list as a GRUB menu, and the name of what is on trial in it.
//!
//! Written into the loader folder that is not in use, so that it changes together with the entries. The first
//! entry is the default; with a trial the first is tried and the second is the confirmed one.

use super::quote::quote;
use crate::entry::Entry;
use crate::kargs::words;
use crate::loader::{TrialId, tried_entry};
use std::fmt::Write;

/// The text of the menu; `trial` is the first entry's, where it has to prove itself.
pub fn menu(entries: &[Entry], trial: Option<&TrialId>) -> String {
    let mut text = String::from("# Written by rootling with each list of deployments; changes are lost.\n");
    if let Some(trial) = trial {
        let _ = writeln!(text, "set rootling_trial={trial}");
    }
    for (place, entry) in entries.iter().enumerate() {
        let entry = &if place == 0 && trial.is_some() { tried_entry(entry) } else { entry.clone() };
        let title = quote(entry.get("title").unwrap_or("unnamed"));
        let _ = writeln!(text, "menuentry {title} --id rootling-{place} --unrestricted {{");
        if let Some(linux) = entry.get("linux") {
            let _ = writeln!(text, "  linux {}{}", quote(linux), arguments(entry));
        }
        let initrds: Vec<String> = entry.initrds().map(quote).collect();
        if !initrds.is_empty() {
            let _ = writeln!(text, "  initrd {}", initrds.join(" "));
        }
        if let Some(devicetree) = entry.get("devicetree") {
            let _ = writeln!(text, "  devicetree {}", quote(devicetree));
        }
        text.push_str("}\n");
    }
    text
}

/// GRUB puts double quotes around an argument with spaces itself, and would escape any that are in it.
fn arguments(entry: &Entry) -> String {
    let options = entry.get("options").unwrap_or_default();
    let each = words(options).into_iter().map(|word| format!(" {}", quote(&word.replace('"', ""))));
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_entries_in_order() {
        let first =
            "title It's 2\nlinux /boot/k 2\noptions quiet dyndbg=\"file a +p\" x=$y\ninitrd /i\ninitrd /j\n";
        let entries = [Entry::parse(first), Entry::parse("title 1\nlinux /k1\ndevicetree /d.dtb\n")];
        let trial = TrialId::parse("ab.0").unwrap();
        assert_eq!(
            menu(&entries, Some(&trial)),
            "# Written by rootling with each list of deployments; changes are lost.\n\
             set rootling_trial=ab.0\n\
             menuentry 'It'\\''s 2' --id rootling-0 --unrestricted {\n  \
             linux '/boot/k 2' quiet 'dyndbg=file a +p' 'x=$y' rootling.trial panic=10\n  initrd /i /j\n}\n\
             menuentry 1 --id rootling-1 --unrestricted {\n  linux /k1\n  devicetree /d.dtb\n}\n"
        );
        assert!(!menu(&entries, None).contains("rootling_trial"));
    }
}
