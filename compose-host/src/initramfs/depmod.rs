//! `modules.dep`, `modules.alias` and `modules.softdep` for a tree that has no depmod, such as one of busybox.
//!
//! What a module needs is read from its own `depends`, which the kernel's build wrote from the same symbols that depmod
//! would look up.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use rustix::fs::FileType;

use super::modules::name_of;
use super::{Modinfo, compress};
use crate::root::Root;

/// One module: its path below the folder, and what it says.
struct Module {
    path: String,
    info: Modinfo,
}

/// Writes the lists of all modules below `usr/lib/modules/KVER`.
pub fn write(tree: &Root, folder: &str) -> Result<()> {
    let mut modules = BTreeMap::new();
    collect(tree, folder, "", &mut modules)?;
    let builtin = tree.read_text(&format!("{folder}/modules.builtin"))?.unwrap_or_default();
    let builtin: Vec<String> = builtin.lines().map(name_of).collect();
    let (mut needs, mut aliases, mut soft) = (String::new(), String::new(), String::new());
    for (name, module) in &modules {
        let mut order = Vec::new();
        order_of(name, &modules, &builtin, &mut order)
            .with_context(|| format!("{folder}/{}", module.path))?;
        needs.push_str(&format!("{}:", module.path));
        // the module itself is the last one that is loaded
        for needed in order.iter().rev().skip(1) {
            needs.push_str(&format!(" {needed}"));
        }
        needs.push('\n');
        module.info.aliases.iter().for_each(|alias| aliases.push_str(&format!("alias {alias} {name}\n")));
        module.info.softdeps.iter().for_each(|text| soft.push_str(&format!("softdep {name} {text}\n")));
    }
    for (name, text) in [("modules.dep", needs), ("modules.alias", aliases), ("modules.softdep", soft)] {
        tree.write(&format!("{folder}/{name}"), text.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn collect(tree: &Root, folder: &str, below: &str, modules: &mut BTreeMap<String, Module>) -> Result<()> {
    for (name, kind) in tree.list(&format!("{folder}/{below}"))? {
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        match kind {
            FileType::Directory => collect(tree, folder, &path, modules)?,
            FileType::RegularFile if super::modules::plain_name(&name).ends_with(".ko") => {
                let whole = format!("{folder}/{path}");
                let bytes = tree.read(&whole)?.unwrap_or_default();
                let info = compress::plain(&bytes)
                    .and_then(|bytes| Modinfo::decode(&bytes))
                    .with_context(|| whole)?;
                modules.insert(name_of(&name), Module { path, info });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Appends what a module needs, and then itself, unless they are there.
fn order_of(
    name: &str,
    modules: &BTreeMap<String, Module>,
    builtin: &[String],
    order: &mut Vec<String>,
) -> Result<()> {
    let mut stack = vec![(name.to_owned(), 0)];
    while let Some((name, next)) = stack.pop() {
        let Some(module) = modules.get(&name) else {
            bail!("needs {name}, expected a module or a part of the kernel");
        };
        let Some(needed) = module.info.depends.get(next) else {
            order.push(module.path.clone());
            continue;
        };
        let needed = needed.replace('-', "_");
        stack.push((name, next + 1));
        if stack.iter().any(|(name, _)| *name == needed) {
            bail!("needs {needed}, which needs it");
        }
        let there = modules.get(&needed).is_some_and(|module| order.contains(&module.path));
        if !there && !builtin.contains(&needed) {
            stack.push((needed, 0));
        }
    }
    Ok(())
}
