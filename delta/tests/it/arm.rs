//! Each rule of profile 3 for 32-bit Arm must do what it is for.

use crate::arm_program::{Sort, program};
use crate::elf::Random;
use crate::predict::round_trip;
use crate::repo::Files;
use rootling_delta::make::code_for;

/// Each sort, whether it is tried in A32, and each how many functions grow: what is near moves only in those.
const SORTS: [(Sort, bool, usize); 10] = [
    (Sort::Calls, true, 60),
    (Sort::Both, false, 2),
    (Sort::Near, true, 2),
    (Sort::Compare, false, 2),
    (Sort::Literals(false), true, 60),
    (Sort::Literals(true), false, 2),
    (Sort::Offsets, true, 60),
    (Sort::Addresses, true, 60),
    (Sort::Halves, true, 60),
    (Sort::Stubs, true, 60),
];

fn sorts() -> impl Iterator<Item = (Sort, bool, usize)> {
    let both = |(sort, in_a32, every)| {
        [(sort, true, every), (sort, false, every)].into_iter().take(1 + usize::from(in_a32))
    };
    SORTS
        .into_iter()
        .flat_map(both)
        .filter(|(sort, thumb, _)| if *thumb { *sort != Sort::Stubs && *sort != Sort::Calls } else { true })
}

#[test]
fn each_sort_of_reference_is_predicted() {
    for (sort, thumb, every) in sorts() {
        let (old, new) = (program(thumb, sort, None), program(thumb, sort, Some(every)));
        let coded = round_trip(&old, &new);
        let before = code_for(&old, &new, 2).unwrap();
        assert_eq!((coded.control[0], coded.profile), (3, 3), "{sort:?}, thumb {thumb}");
        let (now, then) = (coded.values.len(), before.values.len());
        assert!(now * 3 < then, "{sort:?}, thumb {thumb}: {now} wrong bytes, {then} before");
    }
}

/// Trees with a program of each sort.
pub fn two_trees_of_arm() -> (Files, Files) {
    let (mut old, mut new) = (Files::new(), Files::new());
    for (sort, thumb, every) in sorts() {
        let path = format!("usr/lib/{sort:?}-{thumb}.so");
        old.insert(path.clone(), program(thumb, sort, None));
        new.insert(path, program(thumb, sort, Some(every)));
    }
    (old, new)
}

/// Sections whose ends cut instructions, pairs and literals, at odd addresses and of odd sizes.
#[test]
fn cut_and_torn_programs_come_back_byte_for_byte() {
    let mut random = Random(5);
    for (sort, thumb, every) in sorts() {
        let (old, new) = (program(thumb, sort, None), program(thumb, sort, Some(every)));
        let table = u32::from_le_bytes(old[32..36].try_into().unwrap()) as usize;
        for cut in [1, 2, 7, 2000] {
            let mut torn = old.clone();
            // the size of the code, and now and then its address
            let size = table + 40 + 20;
            let length = u32::from_le_bytes(torn[size..size + 4].try_into().unwrap());
            torn[size..size + 4].copy_from_slice(&(length - cut).to_le_bytes());
            torn[table + 40 + 12] ^= cut as u8 & 3;
            for _ in 0..100 {
                let at = 52 + random.below(table as u64 - 52) as usize;
                torn[at] = random.next() as u8;
            }
            round_trip(&torn, &new);
            round_trip(&new, &torn);
        }
    }
}
