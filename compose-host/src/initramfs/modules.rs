//! depmod's lists, and what has to be loaded, in which order, for a name.
//!
//! | file | lines |
//! |---|---|
//! | `modules.dep` | `PATH: PATH...`, what it needs, loaded from right to left |
//! | `modules.softdep` | `softdep NAME pre: NAME... post: NAME...` |
//! | `modules.alias` | `alias PATTERN NAME` |
//! | `modules.builtin` | `PATH` of what is part of the kernel |
//!
//! `-` and `_` in names are the same. Source: modules.dep(5), depmod.d(5); the order is that of modprobe.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::root::Root;

/// How deep soft dependencies are followed; those of real kernels are one deep.
const MAX_DEPTH: u32 = 32;

/// The modules of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// Path by name.
    paths: BTreeMap<String, String>,
    /// Paths it needs by path, in the order of the file.
    needs: BTreeMap<String, Vec<String>>,
    soft: BTreeMap<String, Soft>,
    aliases: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Soft {
    before: Vec<String>,
    after: Vec<String>,
}

impl Modules {
    /// Reads the lists below `usr/lib/modules/KVER`; all but `modules.dep` may be missing.
    pub fn read(tree: &Root, folder: &str) -> Result<Modules> {
        let text = |name: &str| tree.read_text(&format!("{folder}/{name}"));
        let needs = text("modules.dep")?.with_context(|| format!("{folder}/modules.dep: not there"))?;
        let or_empty = |name: &str| Ok::<_, anyhow::Error>(text(name)?.unwrap_or_default());
        let lists = [or_empty("modules.softdep")?, or_empty("modules.alias")?, or_empty("modules.builtin")?];
        let [soft, alias, builtin] = &lists;
        Ok(Modules::parse(&needs, soft, alias, builtin))
    }

    /// Reads the texts of the lists; lines of another form are passed over, as kmod does.
    pub fn parse(needs: &str, soft: &str, alias: &str, builtin: &str) -> Modules {
        let mut modules = Modules::default();
        for line in needs.lines() {
            let Some((path, needed)) = line.split_once(':') else { continue };
            modules.paths.insert(name_of(path), path.to_owned());
            modules.needs.insert(path.to_owned(), needed.split_whitespace().map(str::to_owned).collect());
        }
        for line in soft.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(name)) = (words.next(), words.next()) else { continue };
            modules.soft.entry(same(name)).or_default().extend(words);
        }
        for line in alias.lines() {
            let mut words = line.split_whitespace();
            if let (Some("alias"), Some(alias), Some(name)) = (words.next(), words.next(), words.next()) {
                modules.aliases.entry(same(alias)).or_default().push(same(name));
            }
        }
        modules.builtin = builtin.lines().map(name_of).collect();
        modules
    }

    /// Adds the paths of what has to be loaded for a module or an alias, unless they are there; false if the kernel
    /// knows no such name.
    pub fn load(&self, name: &str, order: &mut Vec<String>) -> bool {
        // a module that soft dependencies lead back to is begun once
        let mut begun = order.iter().cloned().collect();
        self.load_name(name, order, &mut begun, MAX_DEPTH)
    }

    fn load_name(
        &self,
        name: &str,
        order: &mut Vec<String>,
        begun: &mut BTreeSet<String>,
        depth: u32,
    ) -> bool {
        let name = same(name);
        if let Some(path) = self.paths.get(&name) {
            self.load_path(path, order, begun, depth);
            return true;
        }
        let aliased: Vec<&String> = self.aliases.get(&name).into_iter().flatten().collect();
        for path in aliased.iter().filter_map(|name| self.paths.get(*name)) {
            self.load_path(path, order, begun, depth);
        }
        !aliased.is_empty() || self.builtin.contains(&name)
    }

    fn load_path(&self, path: &String, order: &mut Vec<String>, begun: &mut BTreeSet<String>, depth: u32) {
        let needed = self.needs.get(path).into_iter().flatten().rev();
        for path in needed.chain([path]) {
            if !begun.insert(path.clone()) {
                continue;
            }
            let soft = self.soft.get(&name_of(path)).filter(|_| depth > 0);
            let deeper = depth.saturating_sub(1);
            for name in soft.iter().flat_map(|soft| &soft.before) {
                self.load_name(name, order, begun, deeper);
            }
            order.push(path.clone());
            for name in soft.iter().flat_map(|soft| &soft.after) {
                self.load_name(name, order, begun, deeper);
            }
        }
    }
}

impl Soft {
    fn extend<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        let mut list: Option<&mut Vec<String>> = None;
        for word in words {
            match word {
                "pre:" => list = Some(&mut self.before),
                "post:" => list = Some(&mut self.after),
                _ => list.iter_mut().for_each(|list| list.push(word.to_owned())),
            }
        }
    }
}

/// A path without the ending of its compression.
pub fn plain_name(path: &str) -> &str {
    [".xz", ".zst", ".gz"].iter().find_map(|ending| path.strip_suffix(ending)).unwrap_or(path)
}

/// The module's name: that of its file.
pub fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or_default();
    let plain = plain_name(file);
    same(plain.strip_suffix(".ko").unwrap_or(plain))
}

fn same(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: &str = "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2.ko kernel/lib/crc16.ko\n\
        kernel/fs/jbd2.ko: kernel/lib/crc16.ko\nkernel/lib/crc16.ko:\nkernel/crypto/crc32c-intel.ko:\n\
        kernel/crypto/crc32c_generic.ko:\nkernel/a.ko:\nkernel/b.ko:\nnonsense\n";
    const SOFT: &str = "# c\nsoftdep ext4 pre: crc32c post: a\nsoftdep jbd2 pre: nowhere\nsoftdep a post: b\n\
        softdep b pre: a\nsoftdep\n";
    const ALIAS: &str = "alias crc32c crc32c_generic\nalias crc32c crc32c_intel\nalias x\n";

    fn load(names: &[&str]) -> (Vec<bool>, String) {
        let modules = Modules::parse(NEEDS, SOFT, ALIAS, "kernel/drivers/virtio/virtio-pci.ko\n");
        let mut order = Vec::new();
        let known = names.iter().map(|name| modules.load(name, &mut order)).collect();
        (known, order.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn loads_what_is_needed_first_and_once() {
        let all = "crc16 jbd2 crc32c_generic crc32c_intel ext4 a b";
        assert_eq!(load(&["ext4"]), (vec![true], all.into()));
        assert_eq!(load(&["ext4", "jbd2", "ext4"]), (vec![true; 3], all.into()));
        assert_eq!(load(&["crc32c-intel", "crc32c"]), (vec![true; 2], "crc32c_intel crc32c_generic".into()));
        assert_eq!(load(&["virtio_pci", "nothing"]), (vec![true, false], String::new()));
    }

    #[test]
    fn soft_dependencies_in_a_circle_end() {
        assert_eq!(load(&["a"]).1, "a b");
        assert_eq!(load(&["b"]).1, "a b");
    }
}
