//! A file of efivarfs: four bytes of attributes, then the data.
//!
//! Its name is `NAME-GUID`; it is set by one write of all of it. Source: the kernel's documentation of efivarfs,
//! UEFI specification 8.2.

use crate::Result;
use crate::cursor::Cursor;

/// Vendor of the variables that UEFI itself defines.
pub const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Kept over a reset, seen by the loader and by the running system.
pub const ATTRIBUTES: u32 = 7;

/// Attributes and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    /// A bit field; [`ATTRIBUTES`] for everything here.
    pub attributes: u32,
    /// The rest of the file.
    pub data: &'a [u8],
}

impl<'a> Variable<'a> {
    /// Reads a file.
    pub fn decode(file: &'a [u8]) -> Result<Variable<'a>> {
        let mut cursor = Cursor::new("efi variable", file);
        Ok(Variable { attributes: cursor.u32("4 bytes of attributes")?, data: cursor.rest() })
    }

    /// The file to write.
    pub fn encode(&self) -> Vec<u8> {
        [self.attributes.to_le_bytes().as_slice(), self.data].concat()
    }
}

/// The file name of a variable of UEFI itself.
pub fn global(name: &str) -> String {
    format!("{name}-{GLOBAL}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let file = [7, 0, 0, 0, 1, 0];
        let variable = Variable::decode(&file).unwrap();
        assert_eq!((variable.attributes, variable.data, variable.encode()), (7, &[1, 0][..], file.to_vec()));
        assert!(Variable::decode(&[7, 0, 0]).unwrap_err().to_string().contains("4 bytes of attributes"));
    }
}
