//! From what a person types to a commit.

use super::Repo;
use crate::error::{Error, Result};
use rootling_object::{Checksum, ObjectKind, Refspec};

/// Fewest digits that are taken as the start of a checksum.
const MIN_PREFIX: usize = 4;

impl Repo {
    /// Finds the commit that `text` names: a refspec, a checksum or the start of one, with `^` for the parent.
    pub fn resolve(&self, text: &str) -> Result<Checksum> {
        if let Some(child) = text.strip_suffix('^') {
            let child = self.resolve(child)?;
            let parent = self.load_commit(&child)?.parent;
            return parent.ok_or_else(|| self.no_commit(&format!("the parent of {child}")));
        }
        if let Ok(checksum) = Checksum::parse_hex(text) {
            return Ok(checksum);
        }
        if let Ok(refspec) = Refspec::parse(text)
            && let Some(commit) = self.read_ref(&refspec)?
        {
            return Ok(commit);
        }
        self.resolve_prefix(text)
    }

    fn resolve_prefix(&self, text: &str) -> Result<Checksum> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let Some(directory) = text.get(..2).filter(|_| digits && text.len() >= MIN_PREFIX) else {
            return Err(self.no_commit(&format!("commit or ref {text:?}")));
        };
        let mut found = None;
        for (file, _) in crate::fs::list(&self.root.join("objects").join(directory))? {
            let name = rootling_object::ObjectName::parse(directory, &file);
            let Some(name) = name.filter(|name| name.kind == ObjectKind::Commit) else { continue };
            if name.checksum.to_string().starts_with(text) && found.replace(name.checksum).is_some() {
                return Err(Error::refused(format_args!("{text:?} is the start of more than one commit")));
            }
        }
        found.ok_or_else(|| self.no_commit(&format!("commit {text:?}")))
    }

    fn no_commit(&self, what: &str) -> Error {
        Error::not_found(what, self.root.clone())
    }
}
