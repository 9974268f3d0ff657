//! Firmware as the loader: `BootNext` tries once, `BootOrder` confirms.
//!
//! ```text
//! arm        files on the ESP, sync; Boot#### = new, not in BootOrder; BootNext = ####
//! boot       the firmware clears BootNext, then boots it; every later boot follows BootOrder: the confirmed one
//! confirm    BootOrder = ####, then all that were in it
//! fall back  BootNext removed, #### out of BootOrder
//! ```
//! Firmware is known to drop entries, or to put its own first: `dropped` says which of ours are not as they were
//! written, `repair` writes them again.

use super::load_option::{ACTIVE, LoadOption};
use super::order::{Number, decode_numbers, encode_numbers};
use super::variable::{ATTRIBUTES, Variable, global};
use crate::Result;
use crate::error::Error;
use crate::loader::{Change, Counting, Promises, Step, Trial};

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

    /// The number of an option with the same target, else one that is free.
    fn number_for(&self, option: &LoadOption) -> Result<Number> {
        if let Some((number, _)) = self.options.iter().find(|(_, there)| there.same_target(option)) {
            return Ok(*number);
        }
        let taken = |number: &Number| {
            self.option(*number).is_some() || self.unreadable.contains(number) || self.order.contains(number)
        };
        (0..=u16::MAX).map(Number).find(|number| !taken(number)).ok_or(Error::NoRoom {
            what: "efi load options",
            limit: 65536,
            needs: 65537,
        })
    }
}

/// Has the firmware try an option once; `prepared` puts its files on the ESP.
pub fn arm(firmware: &Firmware, prepared: Change, new: &LoadOption) -> Result<(Change, Number)> {
    let number = firmware.number_for(new)?;
    if firmware.order.first() == Some(&number) {
        return Err(Error::malformed(
            "efi BootOrder",
            "another entry first than the new one",
            number.to_string(),
        ));
    }
    if firmware.order.is_empty() {
        return Err(Error::malformed("efi BootOrder", "the confirmed entry first", "no entries"));
    }
    let mut change = prepared;
    change.sync();
    let option = LoadOption { attributes: new.attributes | ACTIVE, ..new.clone() };
    change.steps.push(set(number.variable(), option.encode()?));
    change.steps.push(set(global(NEXT), encode_numbers(&[number])));
    Ok((change, number))
}

/// Makes an entry the first of the boot order.
pub fn confirm(firmware: &Firmware, number: Number) -> Result<Change> {
    if firmware.option(number).is_none() {
        return Err(Error::malformed("efi load options", "the entry on trial", format!("no Boot{number}")));
    }
    let others = firmware.order.iter().copied().filter(|other| *other != number);
    let order: Vec<Number> = std::iter::once(number).chain(others).collect();
    Ok(Change { steps: vec![set(global(ORDER), encode_numbers(&order))] })
}

/// Takes an entry out of what boots.
pub fn fall_back(firmware: &Firmware, number: Number) -> Result<Change> {
    let mut change = Change::default();
    if firmware.next == Some(number) {
        change.steps.push(Step::RemoveVariable { name: global(NEXT) });
    }
    if firmware.order.contains(&number) {
        let order: Vec<Number> = firmware.order.iter().copied().filter(|other| *other != number).collect();
        if order.is_empty() {
            return Err(Error::malformed(
                "efi BootOrder",
                "an entry to fall back to",
                "only the one on trial",
            ));
        }
        change.steps.push(set(global(ORDER), encode_numbers(&order)));
    }
    Ok(change)
}

/// How it stands with an entry; one that is neither next nor first has had its try.
pub fn trial(firmware: &Firmware, number: Number) -> Trial {
    if firmware.next == Some(number) {
        Trial::Left(1)
    } else if firmware.order.first() == Some(&number) {
        Trial::None
    } else {
        Trial::Spent
    }
}

/// Which of our entries the firmware lost, changed or moved; `ours` is the order we want, the first one first.
pub fn dropped(firmware: &Firmware, ours: &[(Number, LoadOption)]) -> Vec<Number> {
    let as_written = |number: Number, option: &LoadOption| {
        firmware
            .option(number)
            .is_some_and(|there| there.same_target(option) && there.attributes & ACTIVE != 0)
    };
    let place = |number: Number| firmware.order.iter().position(|other| *other == number);
    let mut found = Vec::new();
    let mut before = None;
    for (at, (number, option)) in ours.iter().enumerate() {
        let in_place = match (place(*number), at) {
            (None, _) => false,
            (Some(place), 0) => place == 0,
            (Some(place), _) => before.is_none_or(|before| place > before),
        };
        if !as_written(*number, option) || !in_place {
            found.push(*number);
        }
        before = place(*number).or(before);
    }
    found
}

/// Writes our entries again where they are not as we want them; no steps where they are.
pub fn repair(firmware: &Firmware, ours: &[(Number, LoadOption)]) -> Result<Change> {
    let mut change = Change::default();
    if dropped(firmware, ours).is_empty() {
        return Ok(change);
    }
    for (number, option) in ours {
        let there = firmware.option(*number);
        if there.is_some_and(|there| there.same_target(option) && there.attributes & ACTIVE != 0) {
            continue;
        }
        if there.is_some_and(|there| !there.same_target(option)) || firmware.unreadable.contains(number) {
            return Err(Error::Duplicate { what: "efi load options", name: format!("Boot{number}") });
        }
        change.steps.push(set(number.variable(), option.encode()?));
    }
    let mut order: Vec<Number> = ours.iter().map(|(number, _)| *number).collect();
    let others = firmware.order.iter().copied().filter(|other| !ours.iter().any(|(n, _)| n == other));
    order.extend(others);
    if order != firmware.order {
        change.steps.push(set(global(ORDER), encode_numbers(&order)));
    }
    Ok(change)
}

pub(super) fn set(name: String, data: Vec<u8>) -> Step {
    Step::SetVariable { name, bytes: Variable { attributes: ATTRIBUTES, data: &data }.encode() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::efi::DevicePath;

    fn option(name: &str) -> LoadOption {
        LoadOption::new(name, DevicePath::file(1, 2048, 4096, [7; 16], &format!("/EFI/Linux/{name}.efi")), "")
    }

    fn firmware(options: &[(u16, &str)], order: &[u16]) -> Firmware {
        Firmware {
            order: order.iter().copied().map(Number).collect(),
            options: options.iter().map(|(number, name)| (Number(*number), option(name))).collect(),
            ..Firmware::default()
        }
    }

    #[test]
    fn takes_a_free_number_or_that_of_the_same_option() {
        let mut there = firmware(&[(0, "a"), (1, "b")], &[0, 2]);
        assert_eq!(arm(&there, Change::default(), &option("b")).unwrap().1, Number(1));
        assert_eq!(arm(&there, Change::default(), &option("c")).unwrap().1, Number(3), "2 is in the order");
        there.unreadable.push(Number(3));
        assert_eq!(arm(&there, Change::default(), &option("c")).unwrap().1, Number(4));
        assert!(arm(&there, Change::default(), &option("a")).is_err(), "already first");
        assert!(
            arm(&firmware(&[], &[]), Change::default(), &option("a")).is_err(),
            "nothing to fall back to"
        );
    }

    #[test]
    fn notices_and_repairs_what_firmware_did() {
        let ours = [(Number(1), option("b")), (Number(0), option("a"))];
        for (there, want, steps) in [
            (firmware(&[(0, "a"), (1, "b")], &[1, 0]), vec![], 0),
            (firmware(&[(0, "a"), (1, "b")], &[1, 5, 0]), vec![], 0),
            (firmware(&[(0, "a"), (1, "b")], &[0, 1]), vec![1, 0], 1),
            (firmware(&[(0, "a"), (1, "b")], &[1]), vec![0], 1),
            (firmware(&[(0, "a")], &[0]), vec![1], 2),
            (firmware(&[(0, "a")], &[1, 0]), vec![1], 1),
            (firmware(&[], &[]), vec![1, 0], 3),
            (firmware(&[(0, "a"), (1, "b"), (7, "usb")], &[7, 1, 0]), vec![1], 1),
        ] {
            let want: Vec<Number> = want.into_iter().map(Number).collect();
            assert_eq!(dropped(&there, &ours), want, "{:?}", there.order);
            assert_eq!(repair(&there, &ours).unwrap().steps.len(), steps, "{:?}", there.order);
        }
        let taken = firmware(&[(0, "a"), (1, "other")], &[1, 0]);
        assert!(matches!(repair(&taken, &ours), Err(Error::Duplicate { .. })));
    }
}
