//! What a loader promises, so that nobody has to find out from a device that does not come back.

use crate::Result;
use crate::error::Error;
use std::fmt;

/// How often a loader boots what is on trial before it falls back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// It does not count: a system that does not start is never left by itself.
    Never,
    /// Exactly one try.
    Once,
    /// Up to this many.
    UpTo(u32),
}

/// What a loader, as it is set up on this device, can and cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promises {
    /// Its name, as people know it.
    pub loader: &'static str,
    /// Its counting of tries.
    pub counting: Counting,
    /// Why its state may be lost when power fails during a write; `None` where it may not.
    pub torn: Option<&'static str>,
    /// Anything else that a person should know.
    pub note: Option<&'static str>,
}

impl Promises {
    /// How many tries a new system has unless somebody says otherwise.
    pub fn usual_tries(&self) -> u32 {
        match self.counting {
            Counting::Once => 1,
            Counting::Never | Counting::UpTo(_) => 3,
        }
    }

    /// Refuses to arm with `tries` where the loader cannot keep to it, unless `anyway`.
    pub fn allow(&self, tries: u32, anyway: bool) -> Result<()> {
        let lacks = match self.counting {
            Counting::Never => Some("does not count boots, so it does not fall back by itself".to_string()),
            Counting::Once if tries > 1 => Some(format!("has one try only, asked for {tries}")),
            Counting::UpTo(most) if tries > most => {
                Some(format!("counts to {most} tries, asked for {tries}"))
            }
            _ if tries == 0 => Some("expected 1 try at least, asked for 0".to_string()),
            _ => self.torn.map(str::to_string),
        };
        match lacks {
            Some(lacks) if !anyway || tries == 0 => Err(Error::Promise { loader: self.loader, lacks }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Promises {
    /// One line for each promise, without a line end after the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counting {
            Counting::Never => write!(f, "{}: counts no boots, no fallback by itself", self.loader)?,
            Counting::Once => write!(f, "{}: one try, then falls back by itself", self.loader)?,
            Counting::UpTo(most) => {
                write!(f, "{}: up to {most} tries, then falls back by itself", self.loader)?;
            }
        }
        match self.torn {
            Some(why) => write!(f, "\npower loss while its state is written: not safe, {why}")?,
            None => f.write_str("\npower loss while its state is written: safe")?,
        }
        self.note.map_or(Ok(()), |note| write!(f, "\nnote: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_loader_cannot_keep() {
        for (counting, torn, tries, want) in [
            (Counting::Never, None, 1, Some("does not count boots")),
            (Counting::Once, None, 1, None),
            (Counting::Once, None, 3, Some("one try only, asked for 3")),
            (Counting::UpTo(9), None, 9, None),
            (Counting::UpTo(9), None, 10, Some("counts to 9")),
            (Counting::UpTo(9), Some("one copy only"), 3, Some("one copy only")),
        ] {
            let promises = Promises { loader: "x", counting, torn, note: None };
            let got = promises.allow(tries, false).err().map(|e| e.to_string());
            assert_eq!(got.is_some(), want.is_some(), "{counting:?} {tries}: {got:?}");
            assert!(got.unwrap_or_default().contains(want.unwrap_or_default()));
            assert_eq!(promises.allow(tries, true), Ok(()), "told so explicitly");
            assert!(promises.allow(0, true).is_err(), "no tries at all is no trial");
        }
    }

    #[test]
    fn says_all_of_it() {
        let promises =
            Promises { loader: "x", counting: Counting::Once, torn: Some("one copy"), note: Some("slow") };
        assert_eq!(
            promises.to_string(),
            "x: one try, then falls back by itself\npower loss while its state is written: not safe, one copy\nnote: slow"
        );
    }
}
