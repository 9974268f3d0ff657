//! `boot/loader/rootling-trial`: what is on trial, and with how many tries it was armed.
//!
//! One line, `CHECKSUM.SERIAL TRIES [NOTE]`: NOTE is for the loader's own code. More words after them are for later versions. It lies
//! beside the entries, so that the exchange of the loader link changes both at once, and goes with any list that another program writes.
//!
//! | loader | NOTE |
//! |---|---|
//! | Raspberry Pi | the kernel's id of the boot in which a reboot into it was asked for, for the firmware counts nothing |
//! | systemd-boot, whose file is `ostree/rootling-trial` | the number in the name of its entry |

use super::refuse;
use crate::error::{Error, Result};
use rootling_boot::loader::TrialId;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The file's name in a loader folder.
pub(super) const FILE: &str = "rootling-trial";

/// A deployment that was armed and is neither confirmed nor taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Armed {
    /// The deployment's name.
    pub id: TrialId,
    /// How often it may be tried.
    pub tries: u32,
    /// What the loader's own code notes.
    pub note: Option<String>,
}

impl Armed {
    /// Reads the file of the list in use.
    pub(in crate::sysroot) fn read(sysroot: &Path) -> Result<Option<Armed>> {
        Armed::read_from(&sysroot.join("boot/loader").join(FILE))
    }

    /// Reads such a file; `None` where there is none.
    pub(super) fn read_from(path: &Path) -> Result<Option<Armed>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::io("read", path))?,
        };
        let mut words = text.split_whitespace();
        let (id, tries) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let tries = tries.parse().map_err(|_| {
            Error::refused(format_args!("{}: expected CHECKSUM.SERIAL TRIES, got {text:?}", path.display()))
        })?;
        let note = words.next().map(String::from);
        Ok(Some(Armed { id: TrialId::parse(id).map_err(refuse)?, tries, note }))
    }
}

impl fmt::Display for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.tries)?;
        self.note.iter().try_for_each(|note| write!(f, " {note}"))?;
        f.write_str("\n")
    }
}
