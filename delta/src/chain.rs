//! The old files of one new file, read as if they stood one after the other.
//!
//! Offsets of copies count through all of them; a copy may begin in one and end in the next. Nothing is held here but the files
//! as the caller opened them.

use crate::error::Result;
use crate::io::{ReadAt, past_end};
use crate::num::{index, wide};

/// Old files in the order of the header.
pub(crate) struct Chain<'a>(pub(crate) &'a [Box<dyn ReadAt + 'a>]);

impl Chain<'_> {
    /// The one whose layout is known to the rules; an empty file if there is none.
    pub(crate) fn first(&self) -> &dyn ReadAt {
        const NONE: &[u8] = &[];
        self.0.first().map_or(&NONE, |first| &**first)
    }
}

impl ReadAt for Chain<'_> {
    fn size(&self) -> u64 {
        self.0.iter().fold(0, |sum, file| sum.saturating_add(file.size()))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        let (mut at, count, mut rest) = (offset, wide(into.len()), into);
        for file in self.0 {
            let size = file.size();
            let here = size.saturating_sub(at).min(wide(rest.len()));
            let (bytes, after) =
                std::mem::take(&mut rest).split_at_mut_checked(index(here)).unwrap_or_default();
            if here > 0 {
                file.read_at(at, bytes)?;
            }
            (at, rest) = (at.saturating_sub(size), after);
        }
        if rest.is_empty() { Ok(()) } else { Err(past_end(self.size(), offset, count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that says it has so many bytes, all zero.
    struct Zeros(u64);

    impl ReadAt for Zeros {
        fn size(&self) -> u64 {
            self.0
        }
        fn read_at(&self, _: u64, into: &mut [u8]) -> Result<()> {
            into.fill(0);
            Ok(())
        }
    }

    #[test]
    fn reads_go_through_the_borders() {
        let files: [Box<dyn ReadAt>; 4] =
            [&b"abc"[..], b"", b"d", b"efgh"].map(|bytes| -> Box<dyn ReadAt> { Box::new(bytes) });
        let chain = Chain(&files);
        let whole = b"abcdefgh";
        assert_eq!(chain.size(), 8);
        for start in 0..=8 {
            for end in start..=8 {
                let mut bytes = vec![0; end - start];
                chain.read_at(start as u64, &mut bytes).unwrap();
                assert_eq!(bytes, &whole[start..end], "{start}..{end}");
            }
        }
        for (offset, length) in [(8, 1), (7, 2), (0, 9), (u64::MAX, 1), (u64::MAX, 300)] {
            let err = chain.read_at(offset, &mut vec![0; length]).unwrap_err().to_string();
            assert!(err.contains("within 8 bytes"), "{err}");
        }
        let mut first = [0; 3];
        chain.first().read_at(0, &mut first).unwrap();
        assert_eq!((&first, chain.first().size()), (b"abc", 3));
    }

    #[test]
    fn none_is_an_empty_file() {
        let chain = Chain(&[]);
        assert_eq!((chain.size(), chain.first().size()), (0, 0));
        assert!(chain.read_at(0, &mut []).is_ok());
        assert!(chain.read_at(0, &mut [0]).is_err());
    }

    #[test]
    fn lengths_that_overflow_stay_the_largest() {
        let files: [Box<dyn ReadAt>; 2] = [Box::new(Zeros(u64::MAX - 1)), Box::new(Zeros(9))];
        assert_eq!(Chain(&files).size(), u64::MAX);
    }
}
