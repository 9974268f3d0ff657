//! The origin file of a deployment: a key file beside its folder.
//!
//! ```text
//! [origin]
//! refspec=REMOTE:REF
//!
//! [libostree-transient]
//! pinned=true
//! ```
//! Source: libostree. Other groups and keys are kept; the transient group is not handed on to a new deployment.

use crate::error::{Error, Result};
use rootling_object::{Keyfile, Refspec};
use std::fmt;

const TRANSIENT: &str = "libostree-transient";

/// Where a deployment came from, and what is noted about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin(Keyfile);

impl Default for Origin {
    fn default() -> Origin {
        Origin(Keyfile::new())
    }
}

impl Origin {
    /// An origin that follows a ref.
    pub fn new(refspec: &Refspec) -> Origin {
        let mut origin = Origin::default();
        origin.set_refspec(refspec);
        origin
    }

    /// Reads the text of an origin file; `place` is named in the error.
    pub fn parse(text: &str, place: impl fmt::Display) -> Result<Origin> {
        Keyfile::parse(text).map(Origin).map_err(Error::corrupt(place))
    }

    /// What an upgrade follows.
    pub fn refspec(&self) -> Result<Option<Refspec>> {
        let text = self.0.get("origin", "refspec");
        text.map(|text| Refspec::parse(text).map_err(Error::corrupt("origin"))).transpose()
    }

    /// Follows another ref from now on.
    pub fn set_refspec(&mut self, refspec: &Refspec) {
        self.0.set("origin", "refspec", &refspec.to_string());
    }

    /// Whether the deployment is kept until it is unpinned.
    pub fn is_pinned(&self) -> bool {
        matches!(self.0.bool(TRANSIENT, "pinned"), Ok(Some(true)))
    }

    /// Pins or unpins.
    pub fn set_pinned(&mut self, pinned: bool) {
        if pinned {
            self.0.set(TRANSIENT, "pinned", "true");
        } else {
            self.0.remove(TRANSIENT, "pinned");
            if self.0.keys(TRANSIENT).is_empty() {
                self.0.remove_group(TRANSIENT);
            }
        }
    }

    /// What a new deployment takes over.
    pub fn for_next(&self) -> Origin {
        let mut next = self.clone();
        next.0.remove_group(TRANSIENT);
        next
    }

    /// The key file.
    pub fn keyfile(&self) -> &Keyfile {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_libostree_writes() {
        let refspec = Refspec::parse("origin:os/main").unwrap();
        let mut origin = Origin::new(&refspec);
        assert_eq!(origin.to_string(), "[origin]\nrefspec=origin:os/main\n");
        origin.set_pinned(true);
        assert!(origin.is_pinned());
        let read = Origin::parse(&origin.to_string(), "test").unwrap();
        assert_eq!(read.refspec().unwrap(), Some(refspec));
        assert!(read.is_pinned() && !read.for_next().is_pinned());
        origin.set_pinned(false);
        assert!(!origin.is_pinned() && !origin.to_string().contains("transient"));
    }
}
