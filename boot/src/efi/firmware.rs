//! What the firmware's variables say, and what it promises: `BootNext` tries once, `BootOrder` confirms.

use super::load_option::LoadOption;
use super::order::{Number, decode_numbers};
use super::variable::{ATTRIBUTES, Variable, global};
use crate::Result;
use crate::loader::{Counting, Promises, Step};

/// What BootNext promises.
pub const PROMISES: Promises = Promises {
    loader: "efi firmware (BootNext)",
    counting: Counting::Once,
    torn: None,
    note: Some(
        "firmware may drop or reorder entries: they are checked and repaired at every confirm and change",
    ),
};

pub(super) const NEXT: &str = "BootNext";
pub(super) const ORDER: &str = "BootOrder";
const CURRENT: &str = "BootCurrent";

/// What the firmware's variables say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// What boots, the first that works.
    pub order: Vec<Number>,
    /// What boots once.
    pub next: Option<Number>,
    /// What was booted.
    pub current: Option<Number>,
    /// Load options that could be read.
    pub options: Vec<(Number, LoadOption)>,
    /// Numbers in use by load options that could not be read.
    pub unreadable: Vec<Number>,
}

impl Firmware {
    /// Reads the files of efivarfs: name and content of each, others than these passed over.
    pub fn decode<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Firmware> {
        let mut firmware = Firmware::default();
        for (name, file) in files {
            let numbers = || decode_numbers(Variable::decode(file)?.data);
            if name == global(ORDER) {
                firmware.order = numbers()?;
            } else if name == global(NEXT) {
                firmware.next = numbers()?.first().copied();
            } else if name == global(CURRENT) {
                firmware.current = numbers()?.first().copied();
            } else if let Some(number) = Number::parse(name) {
                match Variable::decode(file).and_then(|variable| LoadOption::decode(variable.data)) {
                    Ok(option) => firmware.options.push((number, option)),
                    Err(_) => firmware.unreadable.push(number),
                }
            }
        }
        firmware.options.sort_by_key(|(number, _)| *number);
        Ok(firmware)
    }

    /// A load option by its number.
    pub fn option(&self, number: Number) -> Option<&LoadOption> {
        self.options.iter().find(|(n, _)| *n == number).map(|(_, option)| option)
    }
}

pub(super) fn set(name: String, data: Vec<u8>) -> Step {
    Step::SetVariable { name, bytes: Variable { attributes: ATTRIBUTES, data: &data }.encode() }
}
