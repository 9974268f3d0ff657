//! Whether a program is of the kind that it was asked to be, by what `readelf` says of it.
//!
//! Of a static PIE all pointers are packed: `start/sys.rs` knows no other relocations, and would start a program whose other pointers are wrong.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::recipe::Lies;
use crate::run::output;

/// What needs a loader: a program header, and a tag of the dynamic section.
const LOADER: &[&str] = &["INTERP", "(NEEDED)"];

/// What needs another start than ours: tags of the dynamic section.
const RELOCATIONS: &[&str] = &["TEXTREL", "(TEXTREL)", "(REL)", "(RELA)", "(JMPREL)"];

/// An error if the program is of the other kind, or needs what nobody does for it.
pub fn judge(path: &Path, lies: Lies) -> Result<()> {
    let told = output(Command::new("readelf").arg("-hldW").arg(path).env("LC_ALL", "C"))?;
    judge_told(&told, lies).with_context(|| path.display().to_string())
}

/// An error if the program needs a loader, or libraries of the machine.
pub fn judge_static(path: &Path) -> Result<()> {
    let told = output(Command::new("readelf").arg("-ldW").arg(path).env("LC_ALL", "C"))?;
    judge_needs(&told, LOADER).with_context(|| path.display().to_string())
}

fn judge_told(told: &str, lies: Lies) -> Result<()> {
    let kind = told.lines().find_map(|line| line.trim().strip_prefix("Type:")).unwrap_or_default().trim();
    let expected = match lies {
        Lies::Fixed => "EXEC",
        Lies::Anywhere => "DYN",
    };
    ensure!(kind.starts_with(expected), "expected an ELF file of type {expected}, got {kind:?}");
    judge_needs(told, LOADER)?;
    judge_needs(told, RELOCATIONS)?;
    let packed = told.contains("(RELR)");
    ensure!(
        packed == (lies == Lies::Anywhere),
        "expected packed relocations of a static PIE, and of it alone"
    );
    Ok(())
}

fn judge_needs(told: &str, foreign: &[&str]) -> Result<()> {
    for foreign in foreign {
        if told.split_whitespace().any(|word| word == *foreign) {
            bail!("expected nothing for a loader to do, got {foreign}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_of_its_kind_and_needs_no_loader() {
        let pie = "ELF Header:\n  Type:   DYN (Position-Independent Executable file)\n  \
                   LOAD 0x000000\n  DYNAMIC 0x5a0\n 0x24 (RELR) 0x310\n 0x23 (RELRSZ) 256 (bytes)\n";
        let fixed = "ELF Header:\n  Type:   EXEC (Executable file)\n  LOAD 0x000000\n";
        assert!(judge_told(pie, Lies::Anywhere).is_ok());
        assert!(judge_told(fixed, Lies::Fixed).is_ok());
        for (told, lies, said) in [
            (pie.to_owned(), Lies::Fixed, "type EXEC"),
            (fixed.to_owned(), Lies::Anywhere, "type DYN"),
            (format!("{pie}  INTERP 0x2a8\n"), Lies::Anywhere, "got INTERP"),
            (format!("{pie} 0x16 (TEXTREL) 0x0\n"), Lies::Anywhere, "got (TEXTREL)"),
            (format!("{pie} 0x1e (FLAGS) BIND_NOW TEXTREL\n"), Lies::Anywhere, "got TEXTREL"),
            (format!("{pie} 0x07 (RELA) 0x420\n"), Lies::Anywhere, "got (RELA)"),
            (pie.replace("(RELR)", "(NULL)"), Lies::Anywhere, "expected packed"),
        ] {
            let error = judge_told(&told, lies).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_stock_program_may_relocate_itself_and_needs_no_loader() {
        let own = "  Type:   DYN\n  LOAD 0x000000\n 0x07 (RELA) 0x420\n";
        assert!(judge_needs(own, LOADER).is_ok());
        for more in ["  INTERP 0x2a8\n", " 0x01 (NEEDED) Shared library: [libc.so]\n"] {
            let error = judge_needs(&format!("{own}{more}"), LOADER).unwrap_err().to_string();
            assert!(error.starts_with("expected nothing for a loader to do"), "{error}");
        }
    }
}
